"""Workers: processes that run the trials of a study, and what starts and watches them."""
