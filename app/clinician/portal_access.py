"""How the patient stands with the portal, as the chart shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.clinician.chart_request import patient_of
from app.context import Context
from app.data_requests import Deletion, newest_deletion
from app.declarations import consent_events, stopped_since
from app.invitations import InvitationState, newest_invitation
from app.portal_accounts import own_account
from app.sign_in import SignIn
from app.store import PatientRow, PortalAccountRow
from rtm.consent import ConsentEvent


@dataclass(frozen=True)
class PortalAccess:
    """Days are the patient's own. `declared` is the newest declaration about being monitored."""

    invitation: InvitationState | None
    account: PortalAccountRow | None
    declared: ConsentEvent | None
    stopped_on: date | None
    deletion: Deletion | None
    zone: ZoneInfo

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    @property
    def invitation_text(self) -> str:
        """What became of the newest invitation."""
        found = self.invitation
        if found is None:
            return "Not invited yet."
        since = self.day(found.since)
        return {
            "open": f"Invited by {found.made_by} on {since}; the code works until "
            f"{self.day(found.expires_at)}.",
            "expired": f"The code ran out on {since} unused.",
            "tried out": f"The code was locked on {since} after 5 wrong birth dates.",
            "used": f"Joined by invitation on {since}.",
            "revoked": f"The invitation was taken back on {since}.",
            "superseded": f"The invitation was replaced on {since}.",
        }[found.state]


def read_portal_access(context: Context, sign_in: SignIn) -> PortalAccess:
    patient_id = patient_of(sign_in)
    invitation = newest_invitation(context, sign_in.tenant_id, patient_id)
    with context.database.begin(sign_in.tenant_id) as db:
        zone = ZoneInfo(db.get_one(PatientRow, patient_id).time_zone)
        events = consent_events(db, patient_id)
        stopped = stopped_since(db, patient_id)
        return PortalAccess(
            invitation=invitation,
            account=own_account(db, patient_id),
            declared=events[-1] if events else None,
            stopped_on=None if stopped is None else stopped.astimezone(zone).date(),
            deletion=newest_deletion(db, patient_id),
            zone=zone,
        )
