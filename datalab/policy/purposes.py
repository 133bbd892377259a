"""Purposes: the part of the W3C Data Privacy Vocabulary (DPV 2.3) that terms may name, with its hierarchy.

Only codes and their broader codes are kept here; the vocabulary itself is at https://w3id.org/dpv.
"""

from __future__ import annotations

DPV = "https://w3id.org/dpv#"
COMMERCIAL = DPV + "CommercialPurpose"
NON_COMMERCIAL = DPV + "NonCommercialPurpose"

_PREFIXES = (
    "dpv:",
    "https://w3id.org/dpv/owl#",
    "https://www.w3.org/ns/dpv#",
    "http://www.w3.org/ns/dpv#",
    "http://w3id.org/dpv#",
)

_BROADER = {
    "CommercialPurpose": "Purpose",
    "CommercialResearch": "CommercialPurpose ResearchAndDevelopment",
    "NonCommercialPurpose": "Purpose",
    "NonCommercialResearch": "NonCommercialPurpose ResearchAndDevelopment",
    "ResearchAndDevelopment": "Purpose",
    "AcademicResearch": "ResearchAndDevelopment",
    "ScientificResearch": "ResearchAndDevelopment",
    "PublicBenefit": "Purpose",
    "CombatClimateChange": "PublicBenefit",
    "Counterterrorism": "PublicBenefit",
    "DataAltruism": "PublicBenefit",
    "ImproveHealthcare": "PublicBenefit",
    "ImprovePublicServices": "PublicBenefit",
    "ImproveTransportMobility": "PublicBenefit",
    "ProtectionOfNationalSecurity": "PublicBenefit",
    "ProtectionOfPublicSecurity": "PublicBenefit",
    "ProvideOfficialStatistics": "PublicBenefit",
    "PublicPolicyMaking": "PublicBenefit",
    "EnforceSecurity": "Purpose",
    "MisusePreventionAndDetection": "EnforceSecurity",
    "FraudPreventionAndDetection": "MisusePreventionAndDetection",
    "CounterMoneyLaundering": "FraudPreventionAndDetection",
    "MaintainFraudDatabase": "FraudPreventionAndDetection",
    "Verification": "EnforceSecurity",
    "IdentityVerification": "Verification",
    "FulfilmentOfObligation": "Purpose",
    "FulfilmentOfContractualObligation": "FulfilmentOfObligation",
    "LegalCompliance": "FulfilmentOfObligation",
    "ProtectionOfIPR": "FulfilmentOfObligation",
    "Marketing": "Purpose",
    "Advertising": "Marketing",
    "DirectMarketing": "Marketing",
    "PersonalisedAdvertising": "Advertising Personalisation",
    "TargetedAdvertising": "PersonalisedAdvertising",
    "PublicRelations": "Marketing",
    "Personalisation": "Purpose",
    "ServicePersonalisation": "Personalisation ServiceManagement",
    "HumanResourceManagement": "Purpose",
    "PersonnelManagement": "HumanResourceManagement",
    "OrganisationGovernance": "Purpose",
    "DataGovernance": "OrganisationGovernance",
    "DataQualityManagement": "DataGovernance",
    "DataQualityAssessment": "DataQualityManagement",
    "DataQualityImprovement": "DataQualityManagement",
    "DataInteroperabilityManagement": "DataGovernance",
    "DataInteroperabilityImprovement": "DataInteroperabilityManagement",
    "ServiceManagement": "Purpose",
    "ServiceOptimisation": "ServiceManagement",
    "OptimisationForConsumer": "ServiceOptimisation",
    "OptimisationForController": "ServiceOptimisation",
    "ImproveExistingProductsAndServices": "OptimisationForController",
    "ServiceProvision": "ServiceManagement",
    "RequestedServiceProvision": "ServiceProvision",
    "SearchFunctionalities": "ServiceProvision",
    "SellProducts": "ServiceProvision",
    "SellDataToThirdParties": "SellProducts",
    "SellInsightsFromData": "SellProducts",
    "TechnicalServiceProvision": "ServiceProvision",
    "Purpose": "",
}


def purpose_iri(text: str) -> str:
    """Return the one spelling of a purpose: known prefixes of the vocabulary become its IRI, all else stays as it is."""
    text = text.strip()
    for prefix in _PREFIXES:
        if text.startswith(prefix):
            return DPV + text.removeprefix(prefix)
    return text


def broader(iri: str) -> frozenset[str]:
    """Return the purpose itself and everything it is a kind of."""
    found: set[str] = set()
    waiting = [purpose_iri(iri)]
    while waiting:
        code = waiting.pop()
        if code not in found:
            found.add(code)
            waiting += [DPV + name for name in _BROADER.get(code.removeprefix(DPV), "").split()]
    return frozenset(found)


def codes() -> frozenset[str]:
    """Return the IRIs of all purposes whose place in the hierarchy is known here."""
    return _CODES


_CODES = frozenset(DPV + name for name in _BROADER)
