"""Client of DER Connect, a service that tells charging sessions as the car itself saw them."""

from .models import CarSession

__all__ = ["CarSession"]
