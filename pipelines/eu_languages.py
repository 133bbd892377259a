"""Text in the 24 official EU languages: declarations and software messages, cleaned, de-duplicated and scrubbed."""

from __future__ import annotations

from datalab import Pipeline, Purpose, Release, Source, clean, enrich, scrub, standardise

eu_languages = Pipeline(
    name="eu-languages",
    title="Text in the 24 official EU languages",
    owner="language-steward@datalab.example",
    purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "Train and test language models for all official EU languages"),
    legal_basis="eu-gdpr:A6-1-e",
    source=Source(dataset="sandbox:eu-language-texts", distribution="jsonl"),
    steps=[
        standardise.Text("text", why="one Unicode form, one kind of white space"),
        standardise.Languages("language"),
        clean.Required("text"),
        clean.Untranslated("text", "source_text", language="language", why="catalogues hold entries nobody has translated"),
        clean.Language(
            "text", declared="language", unknown="keep", why="a message in another language teaches the wrong thing"
        ),
        clean.ExactDuplicates(("language", "text"), why="the same message stands in many catalogues"),
        clean.NearDuplicates("text", threshold=0.8),
        scrub.Text("text", language="language", action="redact", why="contact data and identifiers may stand in messages"),
        standardise.Drop("source_text"),
        enrich.TextStatistics("text"),
    ],
    expectations="eu-languages",
    release=Release(
        licence="BSD-3-Clause AND MIT",
        description="Short texts in the 24 official EU languages with language, collection and text statistics. "
        "Personal data in the source was invented and inserted, and is redacted here.",
        creator="Data Lab, from UDHR in Unicode and the message catalogues of Django and Wagtail",
        keywords=("multilingual", "text"),
        statements={
            "AIA-10-2d": "A row is one message or one article of the Declaration, in one language.",
            "AIA-10-2e": "Suited to testing language coverage; far too small to train a model alone.",
        },
    ),
)
