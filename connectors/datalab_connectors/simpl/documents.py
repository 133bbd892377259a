"""The documents behind an offer (contract template, billing schema, service levels): what is linked must be what was announced."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence

from datalab.errors import ProtocolError, SourceError
from datalab.ports.reach import shown
from datalab_connectors.simpl.client import NodeClient
from datalab_connectors.simpl.credential import Document

_LARGEST = 32 << 20
_KNOWN = {"SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512", "SHA3256": "sha3_256", "SHA3512": "sha3_512"}


def check_documents(documents: Sequence[Document], client: Callable[[], NodeClient]) -> list[dict[str, str]]:
    """Fetch every linked document and compare its digest; return what was checked.

    Raise ``ProtocolError`` for a document that differs or whose digest cannot be judged, ``SourceError`` for one that cannot be had.
    They are fetched without any credential: they stand on somebody's file server.
    """
    found = []
    for document in documents:
        name = _KNOWN.get(re.sub(r"[^A-Z0-9]", "", document.algorithm.upper()))
        if not document.url or not document.value or name is None:
            raise ProtocolError(
                f"the {_words(document)} cannot be checked: digest {document.algorithm or 'of no kind'}",
                where=shown(document.url),
                next="ask the provider for a digest by SHA-256, or set documents = false after reading it yourself",
            )
        with client() as reader:
            try:
                data = reader.read(document.url, limit=_LARGEST).data
            except ProtocolError:
                raise
            except SourceError as error:
                raise SourceError(
                    f"the {_words(document)} cannot be had: {error.what}",
                    where=shown(document.url),
                    next=error.next
                    or "list its host under hosts in datalab.toml, or set documents = false after reading it yourself",
                ) from None
        digest = hashlib.new(name, data).hexdigest()
        if not hmac.compare_digest(digest.encode(), document.value.strip().lower().encode()):
            raise ProtocolError(
                f"the {_words(document)} is not the one that the offer announces",
                where=f"{shown(document.url)}, announced {document.algorithm} {document.value[:16]}…, got {digest[:16]}…",
                next="do not agree to it; tell the provider",
            )
        found.append({"kind": document.kind, "url": document.url, "algorithm": name, "digest": digest})
    return found


def _words(document: Document) -> str:
    return re.sub(r"([A-Z])", r" \1", document.kind).lower()
