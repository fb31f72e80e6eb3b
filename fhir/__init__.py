"""Domain values to and from FHIR R4, and the REST client.

The folder shares its name with the distribution `fhir.resources`; extending the package
path lets both be imported from one `fhir` package (docs/decisions/0002-fhir-package.md).
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
