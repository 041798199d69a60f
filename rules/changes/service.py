"""What is done with changes of rules, each step within the caller's transaction: rows, journal line, announcement.

A change is proposed by one person and approved by another; then all of its revisions are live, or none is. What makes
rules live returns them, so that whoever runs the rules can go on with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from facility.errors import ForbiddenError, InvalidCommandError, StaleCommandError
from facility.model import Facility
from facility.storage.outbox import Topic, announce
from facility.storage.rule_import import RuleDecision
from people import journal
from people.model import Account
from rules.changes import repository, store
from rules.changes.drafting import drafts_of, proposed, refuse_stale, refuse_stale_drafts, restored
from rules.changes.lifecycle import TRANSITIONS, ChangeState, Happening, Refusal, Transition, advance
from rules.changes.model import Decided, Draft, RuleChange, Source, Wanted


def propose(
    connection: Connection,
    facility: Facility,
    wanted: Sequence[Wanted],
    *,
    reason: str,
    actor: Account,
    now_ns: int,
) -> RuleChange:
    """Write down what somebody wants of one or more rules, for somebody else to review.

    Raises:
        InvalidCommandError: There is no reason, nothing is wanted, or one rule is named twice.
        NotFoundError: A rule does not exist.
        StaleCommandError: A rule is not the revision any more that the person saw.
        ConfigurationError: Definitions have mistakes; lists every one.
    """
    drafts = drafts_of(connection, facility, wanted)
    return propose_checked(connection, drafts, reason=reason, actor=actor, now_ns=now_ns)


def propose_checked(
    connection: Connection, drafts: Sequence[Draft], *, reason: str, actor: Account, now_ns: int
) -> RuleChange:
    """Write down drafts that were checked already, as those of a file; an approval checks them again.

    Raises:
        InvalidCommandError: There is no reason.
        StaleCommandError: A rule is not the revision any more that the draft builds on.
    """
    said = _reason(reason)
    refuse_stale_drafts(connection, drafts)
    row = _row(None, Happening.PROPOSE)
    size = len(drafts)
    change_id = store.begin_change(
        connection, row, source=Source.PROPOSAL, reason=said, author=actor, size=size, now_ns=now_ns
    )
    store.add_drafts(connection, change_id, drafts)
    _tell(connection, change_id, row, actor=actor, comment=said, now_ns=now_ns, evidence={"revisions": size})
    return repository.change(connection, change_id)


def approve(
    connection: Connection,
    facility: Facility,
    change_id: int,
    *,
    version: int,
    comment: str,
    actor: Account,
    now_ns: int,
) -> Decided:
    """Agree with what somebody else proposed: all of it is live from now on.

    Raises:
        NotFoundError: There is no such change.
        StaleCommandError: The change, or one of its rules, is not what it was when the person looked.
        ForbiddenError: It is the actor's own.
        InvalidCommandError: The comment is missing.
        ConfigurationError: Its definitions no longer fit their assets; lists every mistake.
    """
    change, row = _advanced(connection, change_id, Happening.APPROVE, version=version, actor=actor)
    said = _comment(comment)
    drafts = proposed(connection, facility, change)
    store.decide(connection, change, row, actor=actor, comment=said, now_ns=now_ns)
    _tell(connection, change_id, row, actor=actor, comment=said, now_ns=now_ns)
    return _go_live(connection, facility, change_id, drafts, actor=actor, now_ns=now_ns)


def reject(
    connection: Connection, change_id: int, *, version: int, comment: str, actor: Account, now_ns: int
) -> RuleChange:
    """Say no to what somebody else proposed; nothing is different.

    Raises:
        NotFoundError: There is no such change.
        StaleCommandError: Somebody has decided about it already.
        ForbiddenError: It is the actor's own.
        InvalidCommandError: The comment is missing.
    """
    change, row = _advanced(connection, change_id, Happening.REJECT, version=version, actor=actor)
    return _decide(connection, change, row, actor=actor, comment=_comment(comment), now_ns=now_ns)


def withdraw(
    connection: Connection, change_id: int, *, version: int, comment: str, actor: Account, now_ns: int
) -> RuleChange:
    """Take back what one has proposed; nothing is different.

    Raises:
        NotFoundError: There is no such change.
        StaleCommandError: Somebody has decided about it already.
        ForbiddenError: It is somebody else's.
    """
    change, row = _advanced(connection, change_id, Happening.WITHDRAW, version=version, actor=actor)
    return _decide(connection, change, row, actor=actor, comment=comment.strip() or None, now_ns=now_ns)


def roll_back(
    connection: Connection,
    facility: Facility,
    rule_id: int,
    *,
    to: int,
    base: int,
    reason: str,
    actor: Account,
    now_ns: int,
) -> Decided:
    """Make an earlier revision of a rule live again, at once: it was live before, so it needs no second review.

    Args:
        connection: Where to write.
        facility: The site as it stands.
        rule_id: Which rule.
        to: Number of the earlier revision.
        base: Number of the revision that is live as far as the person knows.
        reason: Why.
        actor: Who.
        now_ns: Facility time.

    Raises:
        NotFoundError: There is no such rule or revision.
        StaleCommandError: Another revision is live by now.
        InvalidCommandError: There is no reason, or the rule is like that already.
        ConfigurationError: The old definition no longer fits the asset; lists every mistake.
    """
    said, live = _reason(reason), repository.live_rule(connection, rule_id)
    refuse_stale(connection, live, base, live.address)
    draft = restored(connection, facility, live, to)
    row = _row(None, Happening.ROLL_BACK)
    change_id = store.begin_change(
        connection, row, source=Source.ROLL_BACK, reason=said, author=actor, size=1, now_ns=now_ns
    )
    store.add_drafts(connection, change_id, [draft], restores=to)
    _tell(connection, change_id, row, actor=actor, comment=said, now_ns=now_ns, evidence={"to": to, "from": base})
    return _go_live(connection, facility, change_id, [draft], actor=actor, now_ns=now_ns)


def record_site_file(
    connection: Connection, decisions: Sequence[RuleDecision], *, reason: str, author: Account, now_ns: int
) -> RuleChange | None:
    """Write down what an import of the site file changed of rules; ``None``: nothing."""
    if not decisions:
        return None
    row = _row(None, Happening.APPLY)
    size = len(decisions)
    change_id = store.begin_change(
        connection, row, source=Source.SITE_FILE, reason=reason, author=author, size=size, now_ns=now_ns
    )
    store.add_decisions(connection, change_id, decisions)
    _tell(connection, change_id, row, actor=author, comment=reason, now_ns=now_ns, evidence={"revisions": size})
    _supersede(connection, change_id, [decision.rule_id for decision in decisions], actor=author, now_ns=now_ns)
    return repository.change(connection, change_id)


def _reason(text: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidCommandError("A reason is missing. Say why the rules are to change.")
    return said


def _comment(text: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidCommandError("A comment is missing. Say what you looked at before you decided.")
    return said


def _advanced(
    connection: Connection, change_id: int, happening: Happening, *, version: int, actor: Account
) -> tuple[RuleChange, Transition]:
    """Return a change as the actor saw it, and the row to take."""
    change = repository.change(connection, change_id)
    row = advance(change.state, happening, by_author=change.author_id == actor.id)
    match row:
        case Refusal.OWN:
            raise ForbiddenError(f"Change {change_id} is your own. Ask a second engineer to review it, or withdraw it.")
        case Refusal.FOREIGN:
            raise ForbiddenError(f"Change {change_id} is {change.author}'s. Reject it, or ask them to withdraw it.")
        case Refusal.DECIDED:
            who = f" by {change.reviewer}" if change.reviewer else ""
            raise StaleCommandError(f"Change {change_id} is {change.state}{who}. Look at it again.")
    if change.version != version:
        raise StaleCommandError(f"Change {change_id} has changed since you looked. Look again and decide again.")
    return change, row


def _row(state: ChangeState | None, happening: Happening) -> Transition:
    return next(row for row in TRANSITIONS if row.before is state and row.happening is happening)


def _decide(
    connection: Connection, change: RuleChange, row: Transition, *, actor: Account, comment: str | None, now_ns: int
) -> RuleChange:
    store.decide(connection, change, row, actor=actor, comment=comment, now_ns=now_ns)
    _tell(connection, change.id, row, actor=actor, comment=comment, now_ns=now_ns)
    return repository.change(connection, change.id)


def _go_live(
    connection: Connection, facility: Facility, change_id: int, drafts: Sequence[Draft], *, actor: Account, now_ns: int
) -> Decided:
    rule_ids = store.go_live(connection, facility, change_id, drafts, now_ns=now_ns)
    _supersede(connection, change_id, rule_ids, actor=actor, now_ns=now_ns)
    return Decided(
        change=repository.change(connection, change_id), rules=tuple(repository.live_rules(connection, rule_ids))
    )


def _supersede(connection: Connection, change_id: int, rule_ids: Sequence[int], *, actor: Account, now_ns: int) -> None:
    """Note which earlier changes nothing is live of any more."""
    row, over = _row(ChangeState.LIVE, Happening.SUPERSEDE), store.superseded_by(connection, rule_ids)
    store.supersede(connection, over, row)
    for each in over:
        _tell(connection, each, row, actor=actor, comment=f"by change {change_id}", now_ns=now_ns)


def _tell(
    connection: Connection,
    change_id: int,
    row: Transition,
    *,
    actor: Account,
    comment: str | None,
    now_ns: int,
    evidence: journal.Evidence | None = None,
) -> None:
    line = journal.Entry(
        subject=Topic.RULE_CHANGE,
        subject_id=change_id,
        at_ns=now_ns,
        transition=row.name,
        actor=actor,
        comment=comment,
        evidence=evidence,
    )
    journal.record(connection, [line])
    announce(connection, Topic.RULE_CHANGE, [change_id], now_ns)
