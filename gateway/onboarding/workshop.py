"""What every discovery and import works with: this installation's classes, profiles and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facility.class_files import load_classes
from facility.equipment import EquipmentClass
from facility.errors import NotFoundError
from facility.yaml_file import did_you_mean
from gateway.onboarding.draft import Draft, make_draft
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.found_asset import Recognised
from gateway.onboarding.readings import LifeSafetyStates, Reader
from gateway.onboarding.recognise import Recogniser
from gateway.onboarding.vocabulary import Vocabulary, vocabulary
from gateway.profiles import DeviceProfile, load_profiles

_LIFE_SAFETY = "life-safety-"


@dataclass(frozen=True)
class Workshop:
    """Recognises devices and drafts files for them."""

    classes: Mapping[str, EquipmentClass]
    shipped: Mapping[str, DeviceProfile]
    words: Vocabulary

    def recognised(self, connections: Sequence[FoundConnection], only_class: str | None = None) -> list[Recognised]:
        """Return what became of each connection's points; of one class where a person says which.

        Raises:
            NotFoundError: There is no such class, or nothing is known of its points' names.
        """
        if only_class is not None and only_class not in self.words.classes:
            raise NotFoundError(
                f"No words are known for class {only_class!r}{did_you_mean(only_class, self.words.classes)}."
            )
        reader = Reader(self.words, life_safety_states(self.shipped))
        recogniser = Recogniser(self.classes, self.words, reader, only_class)
        return [recogniser.recognise(each) for each in connections]

    def draft(self, recognised: Sequence[Recognised], source: str) -> Draft:
        """Return the files that a person reviews."""
        return make_draft(recognised, classes=self.classes, shipped=self.shipped, source=source)


def open_workshop() -> Workshop:
    """Return the workshop of the shipped classes, profiles and words.

    Raises:
        ConfigurationError: A shipped file has mistakes.
    """
    return Workshop(load_classes(), load_profiles(), vocabulary())


def life_safety_states(shipped: Mapping[str, DeviceProfile]) -> LifeSafetyStates:
    """Return what the standard's life-safety states mean for each class and point, as the shipped profiles say."""
    return {
        (profile.equipment_class, point): entry["states"]
        for profile in shipped.values()
        for point, entry in profile.points.items()
        if str(entry.get("object", "")).startswith(_LIFE_SAFETY) and "states" in entry
    }
