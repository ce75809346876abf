"""The service's first tables: batches, API tokens, the audit trail, CDS Hooks feedback."""

import sqlalchemy as sa
from alembic import op

from api.audit import APPEND_ONLY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep the audit trail append-only."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("scopes", sa.String(length=80), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("ids", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entry")),
    )
    op.create_table(
        "batch",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("notes", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("keep_text", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_batch")),
        sa.UniqueConstraint("id", name=op.f("uq_batch_id")),
        sa.UniqueConstraint("owner", "idempotency_key", name=op.f("uq_batch_owner_idempotency_key")),
    )
    op.create_index(op.f("ix_batch_expires_at"), "batch", ["expires_at"], unique=False)
    op.create_index(op.f("ix_batch_owner"), "batch", ["owner"], unique=False)
    op.create_index(op.f("ix_batch_state"), "batch", ["state"], unique=False)
    op.create_table(
        "cds_feedback",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.String(length=100), nullable=False),
        sa.Column("card", sa.String(length=36), nullable=False),
        sa.Column("rule", sa.String(length=6), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("has_comment", sa.Boolean(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_cds_feedback")),
    )
    op.create_index(op.f("ix_cds_feedback_service"), "cds_feedback", ["service"], unique=False)
    op.create_table(
        "cds_used_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_cds_used_token")),
    )
    op.create_index(op.f("ix_cds_used_token_expires"), "cds_used_token", ["expires"], unique=False)
    op.create_table(
        "batch_chunk",
        sa.Column("batch_seq", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=40), nullable=True),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_notes", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_results", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_seq"], ["batch.seq"], name=op.f("fk_batch_chunk_batch_seq_batch"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_seq", "first", name=op.f("pk_batch_chunk")),
    )
    op.create_index("ix_batch_chunk_state_order", "batch_chunk", ["state", "batch_seq", "first"], unique=False)
    op.create_index(op.f("ix_batch_chunk_worker"), "batch_chunk", ["worker"], unique=False)
    for statement in APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)
