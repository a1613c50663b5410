"""Results that a run has by the thousand: arrays in JSON, so that field names are not repeated."""

from typing import Any, Self

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator

from precision.results.base import Result


class PackedResult(Result):
    """A result that JSON holds as the array of its fields' values, in order, without trailing defaults.

    Outside JSON it is like any other result; both forms can be read.
    """

    @model_serializer(mode="wrap")
    def _as_array(self, fields: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        named = fields(self)
        if info.mode != "json":
            return named
        kept = len(type(self).model_fields)
        for name, field in reversed(type(self).model_fields.items()):
            if field.is_required() or getattr(self, name) != field.default:
                break
            kept -= 1
        return list(named.values())[:kept]

    @model_validator(mode="before")
    @classmethod
    def _from_array(cls, data: object) -> object:
        if not isinstance(data, list):
            return data
        if len(data) > len(cls.model_fields):
            raise ValueError(f"{cls.__name__} has {len(cls.model_fields)} fields, not {len(data)}")
        return dict(zip(cls.model_fields, data, strict=False))

    @classmethod
    def of(cls, other: Result) -> Self:
        """The fields that `other` has of this type, as this type."""
        return cls.model_validate({name: getattr(other, name) for name in cls.model_fields if hasattr(other, name)})
