"""The authorization server, on Authlib: code with PKCE, refresh, client credentials, OIDC."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast
from uuid import uuid4

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import AuthorizationCodeMixin as OpenIDCodeMixin
from authlib.oidc.core import OpenIDCode, UserInfo
from flask import Flask
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import CursorResult, Engine, Update, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smart_launch.http import NoAnswer, get_json
from smart_launch.sandbox.access import Grant, parse_scopes
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.database import CodeRow, KeyRow, TokenRow, UsedAssertion
from smart_launch.sandbox.registration import Client

_CODE_LIFETIME_S = 300

# SMART 2.2, 4.1.5.1: an assertion may be valid for five minutes; a minute of skew is forgiven.
_LONGEST_ASSERTION_S = 360

_PERSONAL_METHODS = [
    "none",
    "client_secret_basic",
    "client_secret_post",
    JWTBearerClientAssertion.CLIENT_AUTH_METHOD,
]


@dataclass(frozen=True)
class GrantUser:
    """Who signed in, in which context, for which FHIR API (`audience`).

    `family` ties the tokens of this sign-in together.
    """

    fhir_user: str
    patient: str | None
    encounter: str | None
    audience: str
    family: str = field(default_factory=lambda: str(uuid4()))

    def get_user_id(self) -> str:
        return self.fhir_user


class _Code(OpenIDCodeMixin):  # type: ignore[misc]
    def __init__(self, row: CodeRow) -> None:
        self.row = row
        self.code_challenge = row.code_challenge
        self.code_challenge_method = row.code_challenge_method

    def get_redirect_uri(self) -> str:
        return self.row.redirect_uri

    def get_scope(self) -> str:
        return self.row.scope

    def get_nonce(self) -> str | None:
        return self.row.nonce

    def get_auth_time(self) -> int:
        return self.row.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Token(TokenMixin):  # type: ignore[misc]
    def __init__(self, row: TokenRow) -> None:
        self.row = row

    def check_client(self, client: Client) -> bool:
        return self.row.client_id == client.client_id

    def get_scope(self) -> str:
        return self.row.scope

    def get_expires_in(self) -> int:
        return self.row.expires_in

    def is_expired(self) -> bool:
        return time.time() > self.row.issued_at + self.row.expires_in

    def is_revoked(self) -> bool:
        return self.row.revoked


class SmartAuthorization:
    """The server's state and its Authlib grants, bound to one database."""

    def __init__(self, config: SandboxConfig, engine: Engine) -> None:
        self.config = config
        self.engine = engine
        self.clients = config.registered()
        self.key = self._signing_key()
        self.server = AuthorizationServer()

    def init_app(self, app: Flask) -> None:
        if self.config.base_url.startswith("http://"):
            # Authlib refuses plain HTTP otherwise; this server is for loopback.
            os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {
            "authorization_code": 3600,
            "refresh_token": 3600,
            "client_credentials": 300,
        }
        app.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = self._new_access_token
        self.server.init_app(app, query_client=self.clients.get, save_token=self._save_token)
        self.server.register_grant(
            _bound(_CodeGrant, self),
            [CodeChallenge(required=True), _IdToken(self), _LaunchContext(self.config)],
        )
        self.server.register_grant(_bound(_RefreshGrant, self), [_LaunchContext(self.config)])
        self.server.register_grant(_BackendGrant)
        for endpoint in (_Revocation, _Introspection):
            self.server.register_endpoint(_bound(endpoint, self))
        self.server.register_extension(_Issuer(self.config.issuer))
        self.server.register_client_auth_method(
            JWTBearerClientAssertion.CLIENT_AUTH_METHOD, _Assertion(self)
        )

    def grant_of(self, access_token: str) -> Grant | None:
        """What a valid bearer token may do; None if it is unknown, expired or revoked."""
        with Session(self.engine) as db:
            row = db.get(TokenRow, access_token)
        if row is None or _Token(row).is_revoked() or _Token(row).is_expired():
            return None
        if row.audience != self.config.fhir_base:
            return None
        return Grant(parse_scopes(row.scope), row.patient, row.fhir_user)

    def token_named(self, token: str) -> _Token | None:
        """By its access or its refresh token."""
        named = or_(TokenRow.access_token == token, TokenRow.refresh_token == token)
        with Session(self.engine) as db:
            row = db.scalar(select(TokenRow).where(named))
        return None if row is None else _Token(row)

    def claim(self, statement: Update) -> bool:
        """Whether `statement` changed a row: of several at once, only one can."""
        with Session(self.engine) as db, db.begin():
            return cast("CursorResult[Any]", db.execute(statement)).rowcount == 1

    def end_sign_in(self, family: str) -> None:
        """A code or refresh token came back: whoever holds its tokens loses them (RFC 9700)."""
        with Session(self.engine) as db, db.begin():
            db.execute(update(TokenRow).where(TokenRow.family == family).values(revoked=True))

    def expire_tokens(self) -> int:
        """Ends every access token at once, as a restarted server may; how many ended."""
        with Session(self.engine) as db, db.begin():
            ended = db.execute(update(TokenRow).values(expires_in=0, issued_at=0))
            return cast("CursorResult[Any]", ended).rowcount

    def rotate_key(self) -> str:
        """A new key for the id_tokens; the old one is not published any more. Its `kid`."""
        with Session(self.engine) as db, db.begin():
            db.execute(delete(KeyRow))
        self.key = self._signing_key()
        return str(self.key.kid)

    def _save_token(self, token: dict[str, Any], request: Any) -> None:
        user = request.user
        with Session(self.engine) as db, db.begin():
            db.add(
                TokenRow(
                    access_token=token["access_token"],
                    refresh_token=token.get("refresh_token"),
                    client_id=request.client.client_id,
                    scope=token.get("scope", ""),
                    fhir_user=user.fhir_user if user else None,
                    patient=user.patient if user else None,
                    encounter=user.encounter if user else None,
                    family=user.family if user else str(uuid4()),
                    audience=user.audience if user else self._asked_audience(),
                    issued_at=time.time(),
                    expires_in=token["expires_in"],
                )
            )

    def _new_access_token(self, client: Client, grant_type: str, user: Any, scope: str) -> str:
        """Opaque for the FHIR API here; a JWT for another, which can't look into our database."""
        audience = user.audience if user else self._asked_audience()
        if audience == self.config.fhir_base:
            return secrets.token_urlsafe(32)
        lifetimes = flask.current_app.config["OAUTH2_TOKEN_EXPIRES_IN"]
        now = int(time.time())
        claims = {
            "iss": self.config.issuer,
            "aud": audience,
            "sub": user.fhir_user if user else client.client_id,
            "client_id": client.client_id,
            "scope": scope or "",
            "iat": now,
            "exp": now + lifetimes[grant_type],
            "jti": str(uuid4()),
        }
        if user:
            claims["fhirUser"] = f"{self.config.fhir_base}/{user.fhir_user}"
            if user.patient:
                claims["patient"] = user.patient
        return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": self.key.kid}, claims, self.key)

    def _asked_audience(self) -> str:
        """Of a client without a user: its `resource` (RFC 8707), else the FHIR API here."""
        audience = flask.request.form.get("resource", self.config.fhir_base).rstrip("/")
        if not self.config.serves(audience):
            raise InvalidRequestError("resource names no FHIR API of this server")
        return audience

    def _signing_key(self) -> RSAKey:
        with Session(self.engine) as db, db.begin():
            row = db.scalar(select(KeyRow))
            if row is None:
                key = RSAKey.generate_key(2048)
                key.ensure_kid()
                row = KeyRow(kid=key.kid, jwk=key.as_dict(private=True))
                db.add(row)
            return RSAKey.import_key(row.jwk)


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = _PERSONAL_METHODS
    authorization: SmartAuthorization

    def save_authorization_code(self, code: str, request: Any) -> None:
        data, user = request.payload.data, request.user
        with Session(self.authorization.engine) as db, db.begin():
            db.add(
                CodeRow(
                    code=code,
                    client_id=request.client.client_id,
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.client.get_allowed_scope(request.payload.scope),
                    nonce=data.get("nonce"),
                    code_challenge=data["code_challenge"],
                    code_challenge_method=data["code_challenge_method"],
                    fhir_user=user.fhir_user,
                    patient=user.patient,
                    encounter=user.encounter,
                    auth_time=int(time.time()),
                    expires_at=time.time() + _CODE_LIFETIME_S,
                    family=user.family,
                    audience=user.audience,
                )
            )

    def query_authorization_code(self, code: str, client: Client) -> _Code | None:
        """The code, used up by being shown once; shown again, it ends what it began."""
        with Session(self.authorization.engine) as db:
            row = db.get(CodeRow, code)
        if row is None or row.client_id != client.client_id or row.expires_at < time.time():
            return None
        unused = update(CodeRow).where(CodeRow.code == code, CodeRow.used.is_(False))
        if not self.authorization.claim(unused.values(used=True)):
            self.authorization.end_sign_in(row.family)
            return None
        return _Code(row)

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        """Kept until it expires, so that a second use is noticed."""
        with Session(self.authorization.engine) as db, db.begin():
            db.execute(delete(CodeRow).where(CodeRow.expires_at < time.time()))

    def authenticate_user(self, authorization_code: _Code) -> GrantUser:
        row = authorization_code.row
        return GrantUser(row.fhir_user, row.patient, row.encounter, row.audience, row.family)

    def generate_token(self, **options: Any) -> dict[str, Any]:
        """A refresh token is for those who asked to stay (SMART 2.2, 3.3)."""
        stays = {"offline_access", "online_access"} & set(str(options["scope"]).split())
        options["include_refresh_token"] = bool(stays) and options["include_refresh_token"]
        token: dict[str, Any] = super().generate_token(**options)
        return token


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = _PERSONAL_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True
    authorization: SmartAuthorization

    def authenticate_refresh_token(self, refresh_token: str) -> _Token | None:
        with Session(self.authorization.engine) as db:
            row = db.scalar(select(TokenRow).where(TokenRow.refresh_token == refresh_token))
        if row is not None and row.revoked:
            self.authorization.end_sign_in(row.family)
        return None if row is None or row.revoked else _Token(row)

    def authenticate_user(self, credential: _Token) -> GrantUser:
        row = credential.row
        return GrantUser(row.fhir_user or "", row.patient, row.encounter, row.audience, row.family)

    def issue_token(self, user: GrantUser, refresh_token: _Token) -> dict[str, Any]:
        """The old token ends before the new one is made: of two requests at once, one wins."""
        own = TokenRow.access_token == refresh_token.row.access_token
        valid = update(TokenRow).where(own, TokenRow.revoked.is_(False))
        if not self.authorization.claim(valid.values(revoked=True)):
            raise InvalidGrantError()
        token: dict[str, Any] = super().issue_token(user, refresh_token)
        return token

    def revoke_old_credential(self, credential: _Token) -> None:
        """Done in `issue_token`."""


class _BackendGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = [JWTBearerClientAssertion.CLIENT_AUTH_METHOD]


class _IdToken(OpenIDCode):  # type: ignore[misc]
    def __init__(self, authorization: SmartAuthorization) -> None:
        super().__init__(require_nonce=False)
        self._authorization = authorization

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        with Session(self._authorization.engine) as db:
            return db.scalar(select(CodeRow.code).where(CodeRow.nonce == nonce)) is not None

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        return self._authorization.key

    def get_client_algorithm(self, client: Client) -> str:
        return "RS256"

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": "RS256", "kid": str(self._authorization.key.kid)}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self._authorization.config.issuer, "aud": client.client_id}

    def generate_user_info(self, user: GrantUser, scope: str) -> UserInfo:
        info = UserInfo(sub=user.fhir_user)
        if "fhirUser" in scope.split():
            info["fhirUser"] = f"{self._authorization.config.fhir_base}/{user.fhir_user}"
        return info


class _LaunchContext:
    """Adds the launch context to the token response (SMART 2.2, 2.1.5)."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config

    def __call__(self, grant: Any) -> None:
        grant.register_hook("after_create_token_response", self._add)

    def _add(self, grant: Any, response: tuple[int, dict[str, Any], Any]) -> None:
        user: GrantUser = grant.request.user
        token = response[1]
        if user.patient:
            token["patient"] = user.patient
        if user.encounter:
            token["encounter"] = user.encounter
        token["need_patient_banner"] = True
        token["smart_style_url"] = f"{self._config.base_url}/sandbox-static/smart-style.json"


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Either token of a sign-in ends all of them."""

    CLIENT_AUTH_METHODS: ClassVar = _PERSONAL_METHODS
    authorization: SmartAuthorization

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
        return self.authorization.token_named(token_string)

    def revoke_token(self, token: _Token, request: Any) -> None:
        self.authorization.end_sign_in(token.row.family)


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS: ClassVar = _PERSONAL_METHODS
    authorization: SmartAuthorization

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
        return self.authorization.token_named(token_string)

    def check_permission(self, token: _Token, client: Client, request: Any) -> bool:
        return token.check_client(client)

    def introspect_token(self, token: _Token) -> dict[str, Any]:
        row = token.row
        context = {"patient": row.patient, "fhirUser": row.fhir_user}
        return {
            "active": True,
            "scope": row.scope,
            "client_id": row.client_id,
            "iss": self.authorization.config.issuer,
            "exp": int(row.issued_at + row.expires_in),
            **{name: value for name, value in context.items() if value},
        }


class _Issuer(IssuerParameter):  # type: ignore[misc]
    """Answers of the authorization endpoint say whose they are (RFC 9207)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


class _Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    def __init__(self, authorization: SmartAuthorization) -> None:
        super().__init__()
        self._authorization = authorization

    def get_audiences(self) -> list[str]:
        return [f"{self._authorization.config.base_url}/auth/token"]

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Any:
        """SMART asks for RS384 or ES384, which Authlib's default list leaves out."""
        try:
            token = jwt.decode(assertion, resolve_key, algorithms=["RS384", "ES384"])
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description=str(error)) from error
        expires_at = token.claims.get("exp")
        latest = time.time() + _LONGEST_ASSERTION_S
        if isinstance(expires_at, int | float) and expires_at > latest:
            raise InvalidClientError(description="The assertion is valid for too long.")
        self.verify_claims(token.claims)
        return token.claims

    def validate_jti(self, claims: Any, jti: str) -> bool:
        used = UsedAssertion(jti=f"{claims['iss']}:{jti}", expires_at=claims["exp"] + self.leeway)
        try:
            with Session(self._authorization.engine) as db, db.begin():
                db.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < time.time()))
                db.add(used)
        except IntegrityError:
            return False
        return True

    def resolve_client_public_key(self, client: Client) -> KeySet:
        """The client's keys, fetched anew each time, so that it may rotate them."""
        try:
            if client.jwks is not None:
                return KeySet.import_key_set({"keys": list(client.jwks["keys"])})
            if client.jwks_uri is not None:
                published = get_json(client.jwks_uri, iss=client.jwks_uri)
                return KeySet.import_key_set({"keys": list(published["keys"])})
        except (NoAnswer, JoseError, KeyError, TypeError, ValueError) as error:
            raise InvalidClientError(
                description=f"The client's keys can't be read: {error}."
            ) from error
        raise InvalidClientError(description="The client is not registered with a key.")


def _bound(grant: type, authorization: SmartAuthorization) -> type:
    """Authlib makes its grants itself; this gives them what they work on."""
    return type(grant.__name__, (grant,), {"authorization": authorization})
