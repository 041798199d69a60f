"""Settings of a process, from the environment: ``WATCHKEEPER_PORT=9000`` sets ``port``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that a Watchkeeper process can be told from outside."""

    model_config = SettingsConfigDict(env_prefix="WATCHKEEPER_", frozen=True)

    site_file: Path | None = None
    """The site to import at the start; ``None``: the database holds it already."""
    data_dir: Path = Path("watchkeeper-data")
    """Folder of the database and the history; made when it is missing."""
    profile_dir: Path | None = None
    """Folder of the site's own device profiles; ``None``: ``profiles`` beside the site file, or in ``data_dir`` where
    no site file is named."""
    database_url: str = Field(default="", repr=False)
    """SQLAlchemy URL; empty: SQLite in ``data_dir``."""
    host: str = "127.0.0.1"
    """Where the console listens."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """TCP port of the console; 0: any free one."""
    session_hours: float = Field(default=12.0, gt=0.0)
    """How long a log-in lasts."""
    metrics_token: str = Field(default="", repr=False)
    """What a scraper must bring to read ``/metrics``; empty: only programs of this machine may read it."""
    influx_url: str | None = None
    """InfluxDB for the history; ``None``: DuckDB in ``data_dir``."""
    influx_token: str = Field(default="", repr=False)
    influx_org: str = "watchkeeper"
    influx_bucket: str = "watchkeeper"
    keep_telemetry_days: int = Field(default=400, ge=1)
    """Days for which quantities are kept in the history on disk; an InfluxDB has a retention policy of its own."""
    keep_states_days: int = Field(default=1_830, ge=1)
    """Days for which states, events and counters are kept there."""
    bus_url: str | None = Field(default=None, repr=False)
    """Broker between a gateway and an engine that run apart, such as ``mqtts://gateway-1:secret@bus.example:8883``."""
    bus_prefix: str = Field(default="watchkeeper", pattern=r"^[^/+#\s]+(/[^/+#\s]+)*$")
    """What all topics on it begin with; each site that shares a broker needs its own."""
    bus_ca_file: Path | None = None
    """PEM file of certificates that vouch for the broker; ``None``: the machine's own."""
    bus_certificate_file: Path | None = None
    """PEM file with our own certificate; ``None``: the broker wants none."""
    bus_key_file: Path | None = None
    """PEM file with its key; ``None``: it stands in ``bus_certificate_file``."""
    gateway_id: str = Field(default="gateway-1", pattern=r"^[\w.-]{1,64}$")
    """Name of this gateway on the bus; each gateway needs its own."""
    gateway_connections: Annotated[frozenset[str], NoDecode] = frozenset()
    """Connections that this gateway reads, separated by commas; empty: all of the site."""
    spool_megabytes: float = Field(default=512.0, gt=0.0)
    """Size of a gateway's spool; beyond it the oldest telemetry is dropped, state changes and events never."""
    spool_days: float = Field(default=7.0, gt=0.0)
    """How long a gateway keeps telemetry that the engine did not take; state changes and events are kept for ever."""

    @property
    def profile_folder(self) -> Path:
        """Return where the site's own device profiles are; nothing need be there."""
        beside = self.data_dir if self.site_file is None else self.site_file.parent
        return self.profile_dir or beside / "profiles"

    @field_validator("gateway_connections", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return frozenset(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: dict[str, object]) -> dict[str, object]:
        """Let ``WATCHKEEPER_INFLUX_URL=`` mean the default, as docker compose writes what is not set."""
        return {name: value for name, value in values.items() if value != ""}

    @model_validator(mode="after")
    def _database_in_data_dir(self) -> Self:
        if not self.database_url:
            # Frozen for everyone else; here the value is still being made.
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'watchkeeper.db'}")
        return self
