"""All damages, and which of them are done together."""

from tests.integration.gate.damages.of_confighub import OF_CONFIGHUB
from tests.integration.gate.damages.of_objects import OF_OBJECTS
from tests.integration.gate.damages.of_programs import OF_PROGRAMS

ALL = (*OF_OBJECTS, *OF_CONFIGHUB, *OF_PROGRAMS)
BY_NAME = {damage.name: damage for damage in ALL}
