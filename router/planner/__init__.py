"""Planning: what was accepted, decided by the rules, becomes deliveries."""

from router.planner.planner import DeliverySink, Planner
from router.planner.rule_counter import RuleMatchCounter

__all__ = ["DeliverySink", "Planner", "RuleMatchCounter"]
