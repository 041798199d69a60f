"""The topics of the bus, below one prefix.

::

    {prefix}/engine                              engine → all, retained: who it is; empty while it is away
    {prefix}/configuration                       engine → all, retained: connections, assets and points
    {prefix}/gateways/{id}/life-safety           gateway → engine: frames, one topic a lane
    {prefix}/gateways/{id}/state
    {prefix}/gateways/{id}/telemetry
    {prefix}/gateways/{id}/report                gateway → engine, retained: figures; empty while it is away
    {prefix}/gateways/{id}/acknowledged          engine → gateway: records that are committed
    {prefix}/gateways/{id}/again                 engine → gateway: a stream with a gap
    {prefix}/gateways/{id}/call                  engine → gateway: write or read a point
    {prefix}/gateways/{id}/answer                gateway → engine: what became of it
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.spool.lanes import Lane


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics below a prefix."""

    prefix: str

    @property
    def engine(self) -> str:
        """Who takes the samples."""
        return f"{self.prefix}/engine"

    @property
    def configuration(self) -> str:
        """What gateways are to read."""
        return f"{self.prefix}/configuration"

    def of_gateway(self, gateway_id: str, name: str) -> str:
        """Return one topic of a gateway; ``+`` as the id stands for all gateways."""
        return f"{self.prefix}/gateways/{gateway_id}/{name}"

    def frames(self, gateway_id: str, lane: Lane) -> str:
        """Return the topic of a lane's frames."""
        return self.of_gateway(gateway_id, lane.label)

    def parsed(self, topic: str) -> tuple[str, str]:
        """Return the gateway's id and the last word of one of a gateway's topics."""
        *_, gateway_id, name = topic.split("/")
        return gateway_id, name


REPORT = "report"
ACKNOWLEDGED = "acknowledged"
AGAIN = "again"
CALL = "call"
ANSWER = "answer"
