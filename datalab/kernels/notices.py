"""What websites say about themselves in the 24 official EU languages: privacy policy, terms of use, cookies.

The phrases for English are those of C4 (Raffel et al. 2020, section 2.2). The others say the same in the words that sites use; they were
written for this table, and are as blunt as the English ones: a line of an article on cookies falls, too. They are looked for in any case of letters.
"""

from __future__ import annotations

# ruff: noqa: RUF001 - words in other scripts than Latin are the point
NOTICES = {
    "bg": "политика за поверителност|условия за ползване|политика за бисквитки|използва бисквитки|използване на бисквитки|използваме бисквитки",
    "cs": "zásady ochrany osobních údajů|podmínky použití|zásady používání souborů cookie|používá soubory cookie|používá cookies"
    "|používání souborů cookie|používání cookies|používáme soubory cookie|používáme cookies",
    "da": "privatlivspolitik|brugsbetingelser|cookiepolitik|bruger cookies|brug af cookies|anvender cookies",
    "de": "datenschutzerklärung|nutzungsbedingungen|cookie-richtlinie|verwendet cookies|verwendung von cookies|verwenden cookies"
    "|nutzt cookies|nutzung von cookies",
    "el": "πολιτική απορρήτου|όροι χρήσης|όρους χρήσης|πολιτική cookies|χρησιμοποιεί cookies|χρήση cookies|χρήση των cookies|χρησιμοποιούμε cookies",
    "en": "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies",
    "es": "política de privacidad|términos de uso|condiciones de uso|política de cookies|utiliza cookies|uso de cookies|usa cookies|utilizamos cookies",
    "et": "privaatsuspoliitika|kasutustingimused|küpsiste poliitika|kasutab küpsiseid|küpsiste kasutamine|küpsiste kasutamise|kasutame küpsiseid",
    "fi": "tietosuojaseloste|käyttöehdot|evästekäytäntö|käyttää evästeitä|evästeiden käyttö|käytämme evästeitä",
    "fr": "politique de confidentialité|conditions d'utilisation|conditions d’utilisation|politique de cookies|politique en matière de cookies"
    "|utilise des cookies|utilisation de cookies|utilisation des cookies|utilisons des cookies",
    "ga": "polasaí príobháideachais|beartas príobháideachais|téarmaí úsáide|polasaí fianán|beartas fianán|úsáid fianán|úsáidimid fianáin",
    "hr": "pravila privatnosti|politika privatnosti|uvjeti korištenja|pravila o kolačićima|koristi kolačiće|korištenje kolačića|koristimo kolačiće",
    "hu": "adatvédelmi irányelvek|adatvédelmi szabályzat|adatvédelmi tájékoztató|felhasználási feltételek|cookie-szabályzat|sütiket használ"
    "|cookie-kat használ|sütik használat|cookie-k használat",
    "it": "informativa sulla privacy|termini di utilizzo|condizioni d'uso|condizioni d’uso|condizioni di utilizzo|cookie policy|utilizza cookie"
    "|utilizza i cookie|uso dei cookie|utilizzo dei cookie|utilizziamo cookie|utilizziamo i cookie",
    "lt": "privatumo politika|naudojimo sąlygos|slapukų politika|naudoja slapukus|naudojami slapukai|slapukų naudojim|naudojame slapukus",
    "lv": "privātuma politika|lietošanas noteikumi|sīkdatņu politika|izmanto sīkdatnes|sīkdatņu izmantošan|izmantojam sīkdatnes",
    "mt": "politika tal-privatezza|politika ta' privatezza|termini tal-użu|kundizzjonijiet tal-użu|politika tal-cookies|politika dwar il-cookies"
    "|juża cookies|tuża cookies|jużaw cookies|nużaw cookies|użu ta' cookies|użu tal-cookies",
    "nl": "privacybeleid|gebruiksvoorwaarden|cookiebeleid|gebruikt cookies|gebruik van cookies|gebruiken cookies",
    "pl": "polityka prywatności|polityką prywatności|warunki korzystania|polityka cookies|polityka plików cookie|używa plików cookie"
    "|wykorzystuje pliki cookie|korzysta z plików cookie|używamy plików cookie|stosowanie plików cookie",
    "pt": "política de privacidade|termos de utilização|termos de uso|condições de utilização|política de cookies|utiliza cookies"
    "|utilização de cookies|uso de cookies|usa cookies|utilizamos cookies",
    "ro": "politica de confidențialitate|politica de confidenţialitate|termeni de utilizare|termenii de utilizare|condiții de utilizare"
    "|condiţii de utilizare|politica de cookie|politica privind cookie|utilizează cookie|folosește cookie|foloseşte cookie"
    "|utilizarea cookie|utilizarea modulelor cookie|utilizăm cookie|folosim cookie",
    "sk": "zásady ochrany osobných údajov|podmienky používania|zásady používania súborov cookie|používa súbory cookie|používa cookies"
    "|používanie súborov cookie|používanie cookies|používame súbory cookie|používame cookies",
    "sl": "politika zasebnosti|pravilnik o zasebnosti|pogoji uporabe|politika piškotkov|uporablja piškotke|uporaba piškotkov|uporabljamo piškotke",
    "sv": "integritetspolicy|användarvillkor|användningsvillkor|cookiepolicy|använder cookies|använder kakor|användning av cookies|användning av kakor",
}
"""Phrases by ISO 639-1 code, in lower case, separated by ``|``: each entry is a pattern as it stands."""
