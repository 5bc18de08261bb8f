"""Stand-ins of TraderX's services: container programs that keep the published contracts.

They share no code with the clients that judge them. Each is started as
`python -m traderx_embedded.traderx.<name>`, reads the environment variables of the real service,
and has switches for defects and repairs on an admin port. What differs from the real ones:
docs/fidelity-standins.md.
"""
