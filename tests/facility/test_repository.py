"""The site in the database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, inspect, select

from facility.class_files import load_classes
from facility.equipment import PointKind, System
from facility.errors import ConfigurationError, NotFoundError
from facility.model import Facility, SiteDescription
from facility.priority import Priority
from facility.settings import Settings
from facility.site_file import parse_site
from facility.storage import tables
from facility.storage.database import open_database
from facility.storage.migrate import create_revision, upgrade
from facility.storage.repository import (
    DeviceEventRow,
    import_site,
    keys_of_kind,
    load_description,
    load_facility,
    save_device_events,
)

CLASSES = load_classes()
ENVIRONMENT = {"PASSWORD": "hunter2"}
SITE = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: room-1, kind: room, parent: house}, {id: house, kind: building}]
connections:
  - {id: line, protocol: modbus, host: 10.0.0.7, port: 502}
  - {id: broker, protocol: mqtt, host: h, port: 1883, options: {password: "${PASSWORD}"}}
assets:
  - {id: pump-1, class: pump, connection: line, parent: pump-2, address: {unit: 1}}
  - {id: pump-2, class: pump, connection: line, address: {unit: 2}, rules: {dry_run: {enabled: false}}}
  - {id: door-1, class: door, space: room-1, connection: broker, address: {root: house/door-1}}
"""


def described(text: str = SITE) -> SiteDescription:
    return parse_site("site.yaml", text, CLASSES, ENVIRONMENT)


def imported(database: Engine, site: SiteDescription, *, author: str = "ada", now_ns: int = 1) -> Facility:
    with database.begin() as connection:
        import_site(connection, site, author=author, reason="because", now_ns=now_ns)
        return load_facility(connection, CLASSES, ENVIRONMENT)


def changes(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(select(tables.configuration_change).order_by(tables.configuration_change.c.id))
    return [(row.kind, row.entity) for row in rows]


def test_the_database_gives_back_the_site_that_was_imported(database: Engine) -> None:
    site = described()
    facility = imported(database, site)
    assert facility.assets == site.assets
    assert list(facility.assets) == ["pump-1", "pump-2", "door-1"]
    assert facility.connections == site.connections
    assert [point.name for point in facility.points_of("pump-1")] == list(CLASSES["pump"].points)
    names = [rule.definition.name for rule in facility.rules.values() if rule.asset_id == "pump-2"]
    assert names == [name for name in CLASSES["pump"].rules if name != "dry_run"]
    with database.begin() as connection:
        assert load_description(connection, CLASSES, ENVIRONMENT) == site


def test_pumps_with_the_same_rule_share_what_was_read_of_it(database: Engine) -> None:
    facility = imported(database, described())
    first, second = (
        {rule.definition.name: rule.definition for rule in facility.rules.values() if rule.asset_id == pump}
        for pump in ("pump-1", "pump-2")
    )
    assert second
    assert all(first[name] is definition for name, definition in second.items())


def test_importing_the_same_site_again_changes_nothing(database: Engine) -> None:
    first = imported(database, described())
    with database.begin() as connection:
        before = changes(connection)
    assert imported(database, described(), now_ns=2) == first
    with database.begin() as connection:
        assert changes(connection) == before


def test_no_secret_reaches_the_database(database: Engine, tmp_path: Path) -> None:
    assert imported(database, described()).connections["broker"].options == {"password": "hunter2"}
    database.dispose()
    assert all(b"hunter2" not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_a_pump_that_goes_and_comes_back_keeps_its_keys(database: Engine) -> None:
    before = imported(database, described())
    lines = SITE.splitlines(keepends=True)
    smaller = "".join(line for line in lines if "id: pump-1" not in line)
    without = imported(database, described(smaller), now_ns=2)
    assert "pump-1" not in without.assets
    assert not any(point.asset_id == "pump-1" for point in without.points.values())
    assert {key: before.points[key] for key in without.points} == dict(without.points)
    with database.begin() as connection:
        retired = connection.scalar(select(tables.asset.c.retired_ns).where(tables.asset.c.id == "pump-1"))
        assert retired == 2
    assert imported(database, described(), now_ns=3) == before


def test_what_was_retired_keeps_its_words_although_its_class_is_gone(database: Engine) -> None:
    before = imported(database, described())
    lines = SITE.splitlines(keepends=True)
    imported(database, described("".join(line for line in lines if "id: pump-" not in line)), now_ns=2)
    with database.begin() as connection:
        after = load_facility(connection, {"door": CLASSES["door"]}, ENVIRONMENT)
    assert set(after.assets) == {"door-1"}
    assert dict(after.ever.points) == dict(before.points)
    assert dict(after.ever.rules) == dict(before.rules)
    pump = after.ever.assets["pump-1"]
    assert (pump.name, pump.space_id) == (before.assets["pump-1"].name, before.assets["pump-1"].space_id)
    assert pump.equipment_class.system is System.PUMP


def test_a_point_that_its_class_has_lost_keeps_its_unit_in_history(database: Engine) -> None:
    before = imported(database, described())
    pump = CLASSES["pump"]
    rules = {name: rule for name, rule in pump.rules.items() if rule.point != "vibration"}
    points = {name: point for name, point in pump.points.items() if name != "vibration"}
    newer = {**CLASSES, "pump": pump.model_copy(update={"points": points, "rules": rules})}
    site = parse_site("site.yaml", SITE, newer, ENVIRONMENT)
    with database.begin() as connection:
        import_site(connection, site, author="ada", reason="a newer class", now_ns=2)
        after = load_facility(connection, newer, ENVIRONMENT)
    gone = [key for key, point in before.points.items() if point.name == "vibration"]
    assert gone
    assert not set(gone) & set(after.points)
    assert {key: after.ever.points[key] for key in gone} == {key: before.points[key] for key in gone}


def test_an_asset_in_front_moves_the_order_but_no_key_and_no_journal(database: Engine) -> None:
    before = imported(database, described())
    lines = SITE.splitlines(keepends=True)
    after = imported(database, described("".join([*lines[:6], *lines[7:], lines[6]])), now_ns=2)
    assert list(after.assets) == ["pump-2", "door-1", "pump-1"]
    assert dict(after.points) == dict(before.points)
    assert dict(after.rules) == dict(before.rules)
    with database.begin() as connection:
        late = tables.configuration_change.c.at_ns == 2
        assert connection.scalar(select(func.count()).where(late)) == 0


def test_a_moved_limit_keeps_the_rule_and_is_journalled_with_author_and_reason(database: Engine) -> None:
    before = imported(database, described())
    limit = "unit: 1}, rules: {vibration_high: {limits: {high: 3}}}}"
    after = imported(database, described(SITE.replace("unit: 1}}", limit)), author="bo", now_ns=2)
    assert list(after.rules) == list(before.rules)
    with database.begin() as connection:
        change = tables.configuration_change
        row = connection.execute(select(change).where(change.c.at_ns == 2)).one()
    assert (row.kind, row.entity, row.author, row.reason) == ("rule", "pump-1/vibration_high", "bo", "because")
    assert row.before["definition"]["condition"]["limits"]["high"]["value"] == 4.5
    assert row.after["definition"]["condition"]["limits"]["high"]["value"] == 3


def test_an_edited_matrix_is_kept_and_journalled_and_every_priority_follows(database: Engine) -> None:
    before = imported(database, described())
    seal_leak = next(rule.id for rule in before.rules.values() if rule.definition.name == "seal_leak")
    edited = "priority_matrix: {major: {later: 2}}\n" + SITE
    facility = imported(database, described(edited), now_ns=2)
    assert before.rules[seal_leak].definition.priority is Priority.MEDIUM
    assert facility.rules[seal_leak].definition.priority is Priority.HIGH
    with database.connect() as connection:
        [row] = connection.execute(
            select(tables.configuration_change).where(tables.configuration_change.c.at_ns == 2)
        ).all()
        assert load_description(connection, CLASSES, ENVIRONMENT).priority_matrix == facility.priority_matrix
    assert (row.kind, row.entity, row.author, row.reason) == ("site", "house", "ada", "because")
    assert row.before["priority_matrix"] is None
    assert row.after["priority_matrix"]["major"] == {"immediate": 1, "prompt": 2, "soon": 2, "later": 2}
    retired = imported(
        database, described(edited.replace("{unit: 1}}", "{unit: 1}, rules: {seal_leak: {enabled: false}}}"))
    )
    assert seal_leak not in retired.rules
    assert retired.ever.rules[seal_leak].definition.priority is Priority.HIGH


def test_a_rule_of_an_assets_own_comes_back_from_the_database_and_goes_with_its_line(database: Engine) -> None:
    own = """\
    rules:
      warming:
        point: bearing_temperature
        title: Warming
        condition: {type: rate_of_change, window_s: 300, limits: {high: {value: 8 K/min, time_to_respond_min: 5}}}
        schedule: {holidays: only}
        cause: Wear
        consequence: It seizes
        corrective_action: Grease it
        consequence_class: moderate
        time_to_respond_min: 30
"""
    for text in ("Warming", "Wear", "It seizes", "Grease it"):
        own = own.replace(f": {text}\n", f": {{en: {text}, zh: {text}}}\n")
    line = "  - {id: pump-1, class: pump, connection: line, parent: pump-2, address: {unit: 1}}\n"
    block = "  - id: pump-1\n    class: pump\n    connection: line\n    parent: pump-2\n    address: {unit: 1}\n"
    site = described(SITE.replace(line, block + own))
    facility = imported(database, site)
    with database.connect() as connection:
        assert load_description(connection, CLASSES, ENVIRONMENT) == site
    [warming] = [rule for rule in facility.rules.values() if rule.definition.name == "warming"]
    after = imported(database, described(), now_ns=2)
    assert warming.id not in after.rules
    assert after.ever.rules[warming.id].definition == warming.definition


def test_a_database_holds_one_site(database: Engine) -> None:
    imported(database, described())
    with pytest.raises(ConfigurationError, match="holds the site 'house'"):
        imported(database, replace(described(), site_id="other"))


def test_an_empty_database_says_what_to_do(database: Engine) -> None:
    with database.begin() as connection, pytest.raises(NotFoundError, match="Import one"):
        load_facility(connection, CLASSES, {})


def test_what_the_site_misses_at_the_start_is_told_at_once(database: Engine) -> None:
    imported(database, described())
    pumps = {"pump": CLASSES["pump"].model_copy(update={"points": {"speed": CLASSES["pump"].points["speed"]}})}
    with database.begin() as connection, pytest.raises(ConfigurationError) as raised:
        load_facility(connection, pumps, {})
    text = str(raised.value)
    assert "connection broker, options: ${PASSWORD} is not set" in text
    assert "asset door-1: there is no class 'door'" in text
    assert "asset pump-1: its class has lost the point 'flow'" in text


def test_an_event_that_is_delivered_twice_is_kept_once(database: Engine) -> None:
    facility = imported(database, described())
    key = next(point.key for point in facility.points.values() if point.name == "access_event")
    event = DeviceEventRow(key, "17", 1_000, 2_000, 1, {"badge": "100342"})
    with database.begin() as connection:
        save_device_events(connection, [event, event._replace(event_id="18"), event])
    with database.begin() as connection:
        save_device_events(connection, [event._replace(gateway_time_ns=9_000)])
        save_device_events(connection, [])
        rows = connection.execute(select(tables.device_event).order_by(tables.device_event.c.id)).all()
    assert [(row.event_id, row.gateway_time_ns, row.text) for row in rows] == [
        ("17", 2_000, {"badge": "100342"}),
        ("18", 2_000, {"badge": "100342"}),
    ]


def test_an_event_with_an_identity_that_no_column_holds_is_kept_once_like_any_other(database: Engine) -> None:
    facility = imported(database, described())
    key = next(point.key for point in facility.points.values() if point.name == "access_event")
    strange = ["x" * 1_000, "x" * 1_001, "17\0", "\U0001f525" * 128, "17"]
    events = [DeviceEventRow(key, event_id, 1_000, 2_000, 1, {"badge": "1\0"}) for event_id in strange]
    with database.begin() as connection:
        save_device_events(connection, events)
        save_device_events(connection, events)
        rows = connection.execute(select(tables.device_event).order_by(tables.device_event.c.id)).all()
    assert len({row.event_id for row in rows}) == len(rows) == len(strange)
    assert rows[0].text == {"badge": "1\0"}


def test_migrations_bring_an_empty_database_to_the_tables_of_the_code(database_url: str, tmp_path: Path) -> None:
    versions = tmp_path / "a folder with 100 % odd: name"
    versions.mkdir()
    database = open_database(database_url)
    upgrade(database, versions=versions)
    create_revision(database, "First tables", versions=versions)
    upgrade(database, versions=versions)
    upgrade(database, versions=versions)
    assert {"site", "asset", "point", "rule", "device_event", "outbox"} <= set(inspect(database).get_table_names())
    create_revision(database, "Nothing left", versions=versions)
    (second,) = versions.glob("*nothing_left.py")
    assert "pass" in second.read_text(encoding="utf-8")
    assert "create_table" not in second.read_text(encoding="utf-8")
    if database.dialect.name == "sqlite":
        with database.begin() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.dispose()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_DATA_DIR", "/srv/data")
    monkeypatch.setenv("WATCHKEEPER_PORT", "9000")
    monkeypatch.setenv("WATCHKEEPER_INFLUX_URL", "")
    settings = Settings()
    assert settings.database_url == "sqlite:////srv/data/watchkeeper.db"
    assert settings.port == 9000
    assert settings.influx_url is None
    assert Settings(database_url="postgresql+psycopg://u:p@h/d").database_url == "postgresql+psycopg://u:p@h/d"
    assert "u:p" not in repr(Settings(database_url="postgresql+psycopg://u:p@h/d"))


def test_points_of_a_kind_are_known_by_their_keys_also_when_their_asset_is_gone(database: Engine) -> None:
    before = imported(database, described())
    analog = {key for key, point in before.points.items() if point.definition.kind is PointKind.ANALOG}
    without_door = "\n".join(line for line in SITE.splitlines() if "door-1" not in line) + "\n"
    imported(database, described(without_door), now_ns=2)
    with database.begin() as connection:
        assert keys_of_kind(connection, PointKind.ANALOG) == analog
