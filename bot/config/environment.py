"""Reads environment variables as settings: ``ANEEKA_AVATAR__VMC__PORT`` is ``avatar.vmc.port``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource


class Environment(EnvSettingsSource):
    """The variables as nested tables, with numbers and truths in their types, as a file would give them."""

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        """Return one section's table, or whatever else was set in its place."""
        table = super().prepare_field_value(field_name, field, value, value_is_complex)
        return _typed(table, field)


def _typed(value: Any, field: FieldInfo | None) -> Any:
    annotation = field.annotation if field else None
    if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: _typed(inner, annotation.model_fields.get(name)) for name, inner in value.items()}
    if isinstance(value, str) and annotation in (int, float, bool):
        try:
            return TypeAdapter(annotation).validate_python(value)
        except ValidationError:
            pass  # told later with all other mistakes, in the user's own words
    return value
