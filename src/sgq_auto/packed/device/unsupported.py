"""What a model in C cannot do yet."""

from sgq_auto.errors import InputError


class UnsupportedInCError(InputError):
    """A packed model has something that cannot be written as C: one line that names it.

    Attributes:
        what: What that is.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the C model cannot do this yet: {what}; "
            "python -m sgq_auto.infer predicts with this model"
        )
