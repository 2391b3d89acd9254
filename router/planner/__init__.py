"""Planning: what was accepted, decided by the rules, becomes deliveries."""

from router.planner.planner import Handover, Planner
from router.planner.rule_counter import Tally

__all__ = ["Handover", "Planner", "Tally"]
