"""Ensemble forecasts: ``floecast.forecast(...)`` is `floecast.forecast.ensemble.forecast`.

The package itself can be called, because importing it binds its name on ``floecast``, where the
public function of the same name would otherwise be lost.
"""

import sys
from types import ModuleType


class _CallablePackage(ModuleType):
    def __call__(self, *args, **kwargs):
        from floecast.forecast.ensemble import forecast

        return forecast(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
