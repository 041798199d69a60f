"""From what somebody wants of rules to checked drafts, held against what is live now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from facility.errors import InvalidCommandError, StaleCommandError
from facility.model import Facility
from rules.changes import repository
from rules.changes.checks import Definitions, Fault, faults, refuse
from rules.changes.model import Draft, LiveRule, RuleChange, Wanted, Written


class _Placed(NamedTuple):
    """What is wanted of one rule, and that rule."""

    wanted: Wanted
    live: LiveRule | None
    """``None``: there never was such a rule."""

    @property
    def address(self) -> str:
        return f"{self.wanted.asset_id}/{self.wanted.name}" if self.live is None else self.live.address


def drafts_of(connection: Connection, facility: Facility, wanted: Sequence[Wanted]) -> list[Draft]:
    """Check everything that is wanted, each mistake told beside all others.

    Raises:
        InvalidCommandError: Nothing is wanted, or one rule is named twice.
        NotFoundError: A rule does not exist.
        StaleCommandError: A rule is not the revision any more that the person saw; names it and who changed it.
        ConfigurationError: Definitions have mistakes; lists every one.
    """
    if not wanted:
        raise InvalidCommandError("The change has no revision. Name at least one rule and its new definition.")
    placed = _placed(connection, wanted)
    _refuse_twice(placed)
    for each in placed:
        refuse_stale(connection, each.live, each.wanted.base, each.address)
    return _checked(facility, placed)


def proposed(connection: Connection, facility: Facility, change: RuleChange) -> list[Draft]:
    """Return the drafts of a change, checked again, each on the revision that it was written for.

    Raises:
        StaleCommandError: A rule was decided about in the meantime; names it and who did.
        ConfigurationError: A definition does not fit any more; lists every mistake.
    """
    wanted = []
    for each in repository.revisions_of_change(connection, change.id):
        definition = _unnamed(each.definition)
        if each.rule_id is None:
            wanted.append(Wanted(asset_id=each.asset_id, name=each.name, base=each.base, definition=definition))
        else:
            wanted.append(Wanted(rule_id=each.rule_id, base=each.base, definition=definition))
    return drafts_of(connection, facility, wanted)


def restored(connection: Connection, facility: Facility, live: LiveRule, to: int) -> Draft:
    """Return the draft that makes a rule what it was as its revision ``to``.

    Raises:
        NotFoundError: It never had such a revision.
        InvalidCommandError: It is like that already.
        ConfigurationError: The old definition no longer fits the asset; lists every mistake.
    """
    old = repository.definition_at(connection, live, to)
    if old == live.now:
        raise InvalidCommandError(f"{live.address} is as its revision {to} already. Choose another one of its history.")
    wanted = Wanted(rule_id=live.rule_id, base=live.revision, definition=_unnamed(old))
    [draft] = _checked(facility, [_Placed(wanted, live)])
    return draft


def refuse_stale_drafts(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Refuse drafts of which one builds on another revision than the live one; see :func:`refuse_stale`."""
    heads = repository.heads(connection)
    for draft in drafts:
        head = heads.get((draft.asset_id, draft.name))
        if (0 if head is None else head.revision) != draft.base:
            live = None if head is None else repository.live_rule(connection, head.rule_id)
            refuse_stale(connection, live, draft.base, draft.address)


def refuse_stale(connection: Connection, live: LiveRule | None, base: int, address: str) -> None:
    """Refuse what was written for another revision than the live one.

    Raises:
        StaleCommandError: It was; says who decided about the rule since.
    """
    if (0 if live is None else live.revision) == base:
        return
    if live is None:
        raise StaleCommandError(f"There is no rule {address}. Write base 0 to add it.")
    last = repository.last_change_of(connection, live.rule_id)
    who = f" by {last.author}'s change {last.id} ({last.reason})" if last else ""
    raise StaleCommandError(
        f"{address} was changed{who} and is now revision {live.revision}, not {base}. Look at it again and decide "
        "again."
    )


def _placed(connection: Connection, wanted: Sequence[Wanted]) -> list[_Placed]:
    ids = [each.rule_id for each in wanted if each.rule_id is not None]
    by_id = {live.rule_id: live for live in repository.live_rules(connection, ids)}
    for missing in set(ids) - by_id.keys():
        repository.live_rule(connection, missing)  # which says that there is none
    named = [(each.asset_id, each.name) for each in wanted if each.rule_id is None]
    by_name = {(live.asset_id, live.name): live for live in repository.rules_named(connection, named)}
    return [
        _Placed(each, by_name.get((each.asset_id, each.name)) if each.rule_id is None else by_id[each.rule_id])
        for each in wanted
    ]


def _refuse_twice(placed: Sequence[_Placed]) -> None:
    seen: set[str] = set()
    for each in placed:
        if each.address in seen:
            raise InvalidCommandError(f"{each.address} is named twice. Write one revision for each rule.")
        seen.add(each.address)


def _checked(facility: Facility, placed: Sequence[_Placed]) -> list[Draft]:
    found: list[Fault] = []
    drafts: dict[int, Draft] = {}
    definitions = Definitions()
    for number, each in enumerate(placed):
        draft = _draft(facility, definitions, number, each, found)
        if draft is not None:
            drafts[number] = draft
    numbers = list(drafts)
    found += [fault._replace(number=numbers[fault.number]) for fault in faults(facility, list(drafts.values()))]
    refuse(found, [each.address for each in placed])
    return list(drafts.values())


def _draft(
    facility: Facility, definitions: Definitions, number: int, placed: _Placed, found: list[Fault]
) -> Draft | None:
    """Return what is wanted of one rule, or ``None`` after adding to ``found``."""
    wanted, live = placed
    before, name = None if live is None else live.now, wanted.name if live is None else live.name
    definition = None
    if wanted.definition is not None:
        asset = facility.assets.get(wanted.asset_id if live is None else live.asset_id)
        equipment = None if asset is None else asset.equipment_class
        definition, findings = definitions.read(equipment, name, wanted.definition)
        found += [Fault(number, place, message) for place, message in findings]
        if definition is None:
            return None
    if (None if definition is None else definition.model_dump(mode="json")) == before:
        found.append(Fault(number, (), "this changes nothing; leave it out of the change"))
        return None
    return Draft(
        rule_id=None if live is None else live.rule_id,
        asset_id=wanted.asset_id if live is None else live.asset_id,
        name=name,
        base=wanted.base,
        before=before,
        definition=definition,
    )


def _unnamed(definition: Written | None) -> Mapping[str, Any] | None:
    return None if definition is None else {key: definition[key] for key in definition if key != "name"}
