"""From kernels to an object file: numba types them, LLVM compiles them."""

import llvmlite.binding as llvm
import numba
from numba import types

from sgq_auto.packed.backends import kernels
from sgq_auto.packed.backends.signatures import SIGNATURES

_TYPES = {
    "b": types.CPointer(types.uint8),
    "n": types.CPointer(types.int32),
    "q": types.CPointer(types.int64),
    "d": types.CPointer(types.float64),
    "i": types.int64,
    "f": types.float64,
}


def translate_kernels(machine: llvm.TargetMachine) -> bytes:
    """The object code of every kernel for a machine, each under its own name."""
    module = llvm.parse_assembly("")
    for name in SIGNATURES:
        module.link_in(_translate(name))
    _optimize(module, machine)
    code: bytes = machine.emit_object(module)
    return code


def _translate(name: str) -> llvm.ModuleRef:
    letters = SIGNATURES[name].replace(" ", "")
    signature = types.void(*(_TYPES[letter] for letter in letters))
    # Products may be fused with sums.
    compiled = numba.cfunc(signature, error_model="numpy", fastmath={"contract"})
    function = compiled(getattr(kernels, name))
    module = llvm.parse_assembly(function.inspect_llvm())
    for part in module.functions:
        if part.name == function.native_name:
            part.name = name
        elif not part.is_declaration:
            part.linkage = "internal"
    return module


def _optimize(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """Inline what numba left as calls; with them goes the handling of errors that cannot happen."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    module.verify()
