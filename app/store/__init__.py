"""SQLAlchemy models, one module an aggregate; importing this package knows every table."""

from app.store.access import LaunchRow, SignInRow
from app.store.base import ALL_TENANTS, Base, Database, TenantMissing, among, in_parts, insert_rows
from app.store.care import ProgramRow, SessionRow, previous_program
from app.store.claim_events import ClaimEventRow, ClaimFileRow, EventIsFinal
from app.store.claims import (
    ChargeApprovalRow,
    ChargeMessageRow,
    ClaimExportRow,
    ClaimIsFinal,
    ClaimLineRow,
    ClaimRow,
    CounterRow,
)
from app.store.decisions import DecisionIsFinal, ProposalDecisionRow
from app.store.documents import (
    JsonText,
    as_text,
    from_document,
    json_reader,
    to_document,
    to_json,
)
from app.store.facade import BulkExportRow, SubscriptionNoticeRow, SubscriptionRow
from app.store.hl7 import (
    Hl7InboundRow,
    Hl7OutboundRow,
    Hl7StrayRow,
    PatientEventIsFinal,
    PatientEventRow,
    VisitRow,
)
from app.store.job_failure import JobFailureRow
from app.store.ledger_book import (
    LONGEST_ENTRY,
    EntryTooLong,
    EpisodeRow,
    FactIsFinal,
    LedgerFactRow,
)
from app.store.messages import MessageIsFinal, MessageReadRow, MessageRow
from app.store.outbox import OutboxRow
from app.store.outcomes import OutcomeDraftRow, OutcomeIsFinal, OutcomeResponseRow
from app.store.patient_month import (
    PatientMonthChargeRow,
    PatientMonthRow,
    mark_all_stale,
    mark_stale,
)
from app.store.people import PatientMergeRow, PatientRow, PractitionerRow
from app.store.population import PopulationReadRow
from app.store.portal import (
    AccessTryRow,
    ConsentEventRow,
    DataRequestRow,
    InvitationRow,
    PortalAccountRow,
    PortalFactIsFinal,
)
from app.store.range import RangeTestRow
from app.store.reminders import ContactRow, ReminderRow, ReminderWishesRow
from app.store.safety import (
    AlertAcknowledgementRow,
    AlertRow,
    AlertStepRow,
    SafetyFactIsFinal,
    SafetyScreenRow,
    newest_alert_step,
)
from app.store.templates import FavouriteExerciseRow, ProgramTemplateRow
from app.store.tenant import Tenant, tenant_by_iss

__all__ = [
    "ALL_TENANTS",
    "LONGEST_ENTRY",
    "AccessTryRow",
    "AlertAcknowledgementRow",
    "AlertRow",
    "AlertStepRow",
    "Base",
    "BulkExportRow",
    "ChargeApprovalRow",
    "ChargeMessageRow",
    "ClaimEventRow",
    "ClaimExportRow",
    "ClaimFileRow",
    "ClaimIsFinal",
    "ClaimLineRow",
    "ClaimRow",
    "ConsentEventRow",
    "ContactRow",
    "CounterRow",
    "DataRequestRow",
    "Database",
    "DecisionIsFinal",
    "EntryTooLong",
    "EpisodeRow",
    "EventIsFinal",
    "FactIsFinal",
    "FavouriteExerciseRow",
    "Hl7InboundRow",
    "Hl7OutboundRow",
    "Hl7StrayRow",
    "InvitationRow",
    "JobFailureRow",
    "JsonText",
    "LaunchRow",
    "LedgerFactRow",
    "MessageIsFinal",
    "MessageReadRow",
    "MessageRow",
    "OutboxRow",
    "OutcomeDraftRow",
    "OutcomeIsFinal",
    "OutcomeResponseRow",
    "PatientEventIsFinal",
    "PatientEventRow",
    "PatientMergeRow",
    "PatientMonthChargeRow",
    "PatientMonthRow",
    "PatientRow",
    "PopulationReadRow",
    "PortalAccountRow",
    "PortalFactIsFinal",
    "PractitionerRow",
    "ProgramRow",
    "ProgramTemplateRow",
    "ProposalDecisionRow",
    "RangeTestRow",
    "ReminderRow",
    "ReminderWishesRow",
    "SafetyFactIsFinal",
    "SafetyScreenRow",
    "SessionRow",
    "SignInRow",
    "SubscriptionNoticeRow",
    "SubscriptionRow",
    "Tenant",
    "TenantMissing",
    "VisitRow",
    "among",
    "as_text",
    "from_document",
    "in_parts",
    "insert_rows",
    "json_reader",
    "mark_all_stale",
    "mark_stale",
    "newest_alert_step",
    "previous_program",
    "tenant_by_iss",
    "to_document",
    "to_json",
]
