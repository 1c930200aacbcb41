"""Parts of a rung, for attacks that aim at them."""

import msgspec

from tests.this_course import COURSE


def part(number, wanted, **changes):
    """Rung `number` with the items in `wanted` alone, changed."""
    rung = COURSE.rung(number)
    items = [msgspec.structs.replace(item, needs=[], **changes) for item in rung.items if item.id in wanted]
    return msgspec.structs.replace(rung, manifest=msgspec.structs.replace(rung.manifest, items=items))
