"""Planning: what was accepted, decided by the rules, becomes deliveries."""

from router.planner.planner import Handover, Planner

__all__ = ["Handover", "Planner"]
