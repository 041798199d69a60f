"""SQL: the engine, the tables of the facility, the outbox and the migrations."""
