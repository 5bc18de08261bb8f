"""Operations that a user asks for: validate, deploy, install; no printing, no exit codes."""
