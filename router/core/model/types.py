"""How a message goes: how urgently, with how much of itself, and what it does to an earlier one."""

from typing import Literal

Priority = Literal["high", "normal", "low"]
Privacy = Literal["none", "no_body", "no_content"]

Operation = Literal["send", "update", "retract"]
"""Whether something new is shown, what was shown is changed, or taken back."""
