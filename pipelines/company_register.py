"""Company register across borders: GLEIF legal entities, one row per entity, from the files of many sectors."""

from __future__ import annotations

from datalab import Pipeline, Purpose, Release, Source, Splits, clean, enrich, standardise

company_register = Pipeline(
    name="company-register",
    title="Company register across borders",
    owner="register-steward@datalab.example",
    purpose=Purpose("https://w3id.org/dpv#ResearchAndDevelopment", "Train models that match company names across registers"),
    legal_basis="not applicable: no personal data",
    source=Source(dataset="sandbox:gleif-legal-entities", distribution="csv"),
    steps=[
        standardise.ColumnNames(
            rename={
                "LEI": "lei",
                "Entity.LegalName": "name",
                "Entity.LegalAddress.Country": "country",
                "Entity.EntityCategory": "category",
                "Entity.EntitySubCategory": "subcategory",
                "Sector": "sector",
            }
        ),
        standardise.Encoding("name", why="some names went through a wrong code page on their way"),
        standardise.Text("name", why="no-break spaces and combining letters make equal names differ"),
        standardise.Names("name", kind="organisation"),
        standardise.Countries("country", to="alpha-2"),
        clean.Required("lei"),
        clean.CheckDigits("lei", scheme="lei", why="ISO 17442: an identifier with wrong check digits names nobody"),
        clean.DuplicatesByKey("lei", why="an entity stands in the file of each of its sectors"),
        enrich.CountryFacts("country"),
    ],
    splits=Splits(together=("name",)),
    expectations="company-register",
    release=Release(
        licence="CC0-1.0",
        description="Legal entities with identifier, name and country, one row per entity, enriched with facts about the country.",
        creator="Data Lab, from the GLEIF golden copy",
        keywords=("legal entities", "LEI", "company names"),
        statements={
            "AIA-10-2d": "A row stands for a legal entity as its registration agent reported it; it says nothing about its people.",
            "AIA-10-2e": "Suited to matching names across registers; sole proprietors are not in the source.",
        },
    ),
)
