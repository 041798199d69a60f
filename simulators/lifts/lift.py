"""One traction lift under traffic, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import ClassVar, NamedTuple

from simulators.device import check_fault, device_generator
from simulators.lifts.car_door import CarDoor, DoorState, DoorTimes
from simulators.lifts.machine import BearingParameters, Machine, MachineParameters
from simulators.lifts.motion import Kinematics, MotionLimits, Movement, braking, runaway, travel
from simulators.lifts.traffic import LUNCHTIME, Passenger, Traffic, TrafficPattern, next_stop


class Mode(StrEnum):
    """Names as they travel on the wire."""

    NORMAL = "normal"
    INSPECTION = "inspection"
    FIRE_SERVICE = "fire_service"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftParameters:
    """A 1000 kg passenger lift in an office tower."""

    floors: int = 20
    floor_height_m: float = 3.6
    ride: MotionLimits = field(
        default_factory=lambda: MotionLimits(speed_m_s=2.5, acceleration_m_s2=0.9, jerk_m_s3=1.2)
    )
    rescue: MotionLimits = field(
        default_factory=lambda: MotionLimits(speed_m_s=0.3, acceleration_m_s2=0.2, jerk_m_s3=0.4)
    )
    """How a technician brings a stranded car to a floor; EN 81-20 allows 0.30 m/s with the emergency drive."""
    capacity: int = 13
    """Persons, as the plate in a 1000 kg car says."""
    brake_deceleration_m_s2: float = 1.6
    safety_gear_deceleration_m_s2: float = 5.9
    """Progressive safety gear, about 0.6 g (EN 81-20 asks for 0.2 to 1 g)."""
    runaway_acceleration_m_s2: float = 1.2
    governor_trip_factor: float = 1.2
    """Tripping speed over rated speed; EN 81-20 5.6.2.2.1.1 asks for at least 1.15."""
    landing_zone_m: float = 0.35
    """Half the height within which the doors may be opened: a car that stops here traps nobody."""
    stranding_distance_m: float = 1.0
    """How far from the next floor the fault "passenger trapped" stops the car: nobody can step out."""
    waiting_limit: int = 8
    """Whoever finds more people waiting takes another lift."""
    load_cell_noise_kg: float = 2.0
    machine: MachineParameters = field(default_factory=MachineParameters)
    bearing: BearingParameters = field(default_factory=BearingParameters)
    door: DoorTimes = field(default_factory=DoorTimes)
    traffic: TrafficPattern = LUNCHTIME

    @property
    def travel_m(self) -> float:
        """Return the way from the lowest to the highest floor."""
        return (self.floors - 1) * self.floor_height_m


class Phase(Enum):
    """What the car is doing."""

    STANDING = auto()
    """At a floor; the doors work."""
    TRAVELLING = auto()
    RUNNING_AWAY = auto()
    """The drive has lost control of the speed."""
    BRAKING = auto()
    """Brake or safety gear is stopping the car."""
    STRANDED = auto()
    """Stopped with an open safety chain."""
    RESCUE = auto()
    """Being moved slowly to a floor."""


class LiftState(NamedTuple):
    """What the controller reports whenever any of it changes."""

    mode: Mode
    door: DoorState
    brake: str
    """``released`` or ``applied``."""
    safety_chain: str
    """``open`` or ``closed``; without the door contacts, which open at every stop."""
    passenger_trapped: bool
    overspeed: bool


class Lift:
    """A lift that serves Poisson traffic until a fault stops it."""

    faults: ClassVar[frozenset[str]] = frozenset(
        {"door_fails_to_close", "passenger_trapped", "overspeed", "bearing_wear", "controller_silent"}
    )

    def __init__(self, asset_id: str, *, seed: int, parameters: LiftParameters | None = None) -> None:
        self.asset_id = asset_id
        self.parameters = parameters or LiftParameters()
        chance = device_generator(seed, asset_id)
        self._chance = chance
        self._active: set[str] = set()
        self._traffic = Traffic(self.parameters.traffic, self.parameters.floors, chance)
        self.door = CarDoor(self.parameters.door, chance)
        self.machine = Machine(self.parameters.machine, self.parameters.bearing, chance)
        floor = int(chance.integers(0, self.parameters.floors))
        self.car = Kinematics(floor * self.parameters.floor_height_m)
        self.direction = 0
        """1 up, -1 down, 0 without a journey."""
        self.load_kg = 0.0
        """As the load cell reads it."""
        self.starts = int(chance.integers(150_000, 400_000))
        """Motor starts; a lift that is switched on has a past."""
        self.trips = self.starts - int(chance.integers(50, 400))
        self.door.cycles = self.trips + int(chance.integers(1_000, 9_000))
        self.door.reopenings = round(self.door.cycles * self.parameters.door.reopening_probability)
        self._phase = Phase.STANDING
        self._movement: Movement | None = None
        self._elapsed_s = 0.0
        self._waiting: list[Passenger] = []
        self._onboard: list[Passenger] = []
        self._governor_tripped = False
        self.withdrawn = False
        """Taken out of service from the control room: it finishes its journey, lets everybody out and stays."""

    @property
    def silent(self) -> bool:
        """Return whether the controller has stopped speaking."""
        return "controller_silent" in self._active

    @property
    def floor(self) -> int:
        """Return the nearest floor, counted from 0."""
        return round(self.car.position_m / self.parameters.floor_height_m)

    @property
    def state(self) -> LiftState:
        """Return what the controller reports now."""
        chain_open = self._phase in {Phase.BRAKING, Phase.STRANDED}
        return LiftState(
            mode=self._mode(chain_open=chain_open),
            door=self.door.state,
            brake="applied" if self._phase in {Phase.STANDING, Phase.BRAKING, Phase.STRANDED} else "released",
            safety_chain="open" if chain_open else "closed",
            passenger_trapped=self._holds_somebody(),
            overspeed=self._governor_tripped,
        )

    def _mode(self, *, chain_open: bool) -> Mode:
        if self._phase is Phase.RESCUE:
            return Mode.INSPECTION
        return Mode.OUT_OF_SERVICE if chain_open or self.withdrawn else Mode.NORMAL

    def inject(self, fault: str, now_ns: int) -> None:
        """Start a fault; those that need a journey or an open door show with the next one, which is called at once."""
        del now_ns  # the lift reacts at its next step
        check_fault(self, fault)
        self._active.add(fault)
        if fault == "bearing_wear":
            self.machine.wearing = True
            self._call_from_here()
        elif fault == "door_fails_to_close":
            self.door.obstructed = True
            self.door.hurry()
            if self._phase is Phase.STANDING:
                self.door.open()
        elif fault in {"passenger_trapped", "overspeed"}:
            self._call_from_here()

    def clear(self, fault: str, now_ns: int) -> None:
        """End a fault; a stranded car is then brought to a floor."""
        del now_ns  # the lift reacts at its next step
        self._active.discard(fault)
        if fault == "bearing_wear":
            self.machine.replace_bearings()
        elif fault == "door_fails_to_close":
            self.door.obstructed = False

    def step(self, now_ns: int, dt_s: float) -> None:
        """Advance the car, its doors, its passengers and its machine."""
        del now_ns  # nothing in a lift depends on the hour
        arrived = self._traffic.arrivals(dt_s)
        room = max(0, self.parameters.waiting_limit - len(self._waiting))
        self._waiting.extend(arrived[:room])
        if self._phase is Phase.STANDING:
            self._serve(dt_s)
        elif self._phase is Phase.STRANDED:
            self._await_rescue()
        else:
            self._move(dt_s)
        self._weigh()
        self.machine.step(self.car, self.load_kg, running=self._motor_runs(), dt_s=dt_s)

    def _call_from_here(self) -> None:
        self._waiting.insert(0, self._traffic.passenger_from(self.floor))
        self.door.hurry()

    def _serve(self, dt_s: float) -> None:
        self.door.step(dt_s)
        if self.door.state is DoorState.OPEN:
            self._exchange_passengers()
        elif self.door.state is DoorState.CLOSED:
            self._depart_or_open()

    def _exchange_passengers(self) -> None:
        here = self.floor
        self._onboard = [rider for rider in self._onboard if rider.destination != here]
        boarding = [] if self.withdrawn else [person for person in self._waiting if person.origin == here]
        boarding = boarding[: self.parameters.capacity - len(self._onboard)]
        for person in boarding:
            self._waiting.remove(person)
            self._onboard.append(person)

    def _depart_or_open(self) -> None:
        here = self.floor
        called = not self.withdrawn and any(person.origin == here for person in self._waiting)
        if "door_fails_to_close" in self._active or called:
            self.door.open()
            return
        target = next_stop(here, self.direction, self._calls())
        if target is None:
            self.direction = 0
            return
        self.direction = 1 if target > here else -1
        self.starts += 1
        self._begin(Phase.TRAVELLING, self._ride_to(target, self.parameters.ride))

    def _calls(self) -> set[int]:
        """Return the floors of all car calls, and of landing calls while there is room for more."""
        calls = {rider.destination for rider in self._onboard}
        if len(self._onboard) < self.parameters.capacity and not self.withdrawn:
            calls |= {person.origin for person in self._waiting}
        return calls

    def _ride_to(self, floor: int, limits: MotionLimits) -> Movement:
        return travel(self.car.position_m, floor * self.parameters.floor_height_m, limits)

    def _begin(self, phase: Phase, movement: Movement) -> None:
        self._phase = phase
        self._movement = movement
        self._elapsed_s = 0.0

    def _move(self, dt_s: float) -> None:
        movement = self._movement
        if movement is None:
            return
        self._elapsed_s += dt_s
        self.car = movement.at(self._elapsed_s)
        if self._elapsed_s >= movement.duration_s:
            self._finish()
        elif self._phase is Phase.TRAVELLING:
            self._suffer()

    def _suffer(self) -> None:
        """Let the faults strike that need a moving car."""
        p = self.parameters
        stop = braking(self.car, p.brake_deceleration_m_s2)
        if "overspeed" in self._active and self._has_room_to_run_away():
            tripping_m_s = p.governor_trip_factor * p.ride.speed_m_s
            self._begin(Phase.RUNNING_AWAY, runaway(self.car, p.runaway_acceleration_m_s2, tripping_m_s))
        elif "passenger_trapped" in self._active and self._onboard and self._off_level_m(stop) > p.stranding_distance_m:
            self._begin(Phase.BRAKING, stop)

    def _finish(self) -> None:
        """Go on from the end of a movement."""
        if self._phase is Phase.RUNNING_AWAY:
            self._governor_tripped = True
            self._begin(Phase.BRAKING, braking(self.car, self.parameters.safety_gear_deceleration_m_s2))
        elif self._phase is Phase.BRAKING:
            self.car = Kinematics(self.car.position_m)
            self.direction = 0
            self._phase = Phase.STRANDED
        else:
            self.car = Kinematics(self.floor * self.parameters.floor_height_m)
            self._arrive()

    def _arrive(self) -> None:
        if self._phase is Phase.RESCUE:
            self._onboard.clear()  # nobody rides on after that
        else:
            self.trips += 1
        self._phase = Phase.STANDING
        self._movement = None
        self.door.open()

    def _await_rescue(self) -> None:
        """Once what stranded the car is repaired, reset the governor and bring the car to the nearest floor."""
        if self._active.isdisjoint({"passenger_trapped", "overspeed"}):
            self._governor_tripped = False
            self._begin(Phase.RESCUE, self._ride_to(self.floor, self.parameters.rescue))

    def _has_room_to_run_away(self) -> bool:
        """Return whether governor and safety gear stop the car before the end of the shaft."""
        p = self.parameters
        if not self.car.speed_m_s:
            return False
        tripping_m_s = p.governor_trip_factor * p.ride.speed_m_s
        tripped = runaway(self.car, p.runaway_acceleration_m_s2, tripping_m_s).end
        return 0.0 < braking(tripped, p.safety_gear_deceleration_m_s2).end.position_m < p.travel_m

    def _off_level_m(self, movement: Movement) -> float:
        """Return how far from the nearest floor a movement ends."""
        return _distance_to_multiple(movement.end.position_m, self.parameters.floor_height_m)

    def _holds_somebody(self) -> bool:
        """Return whether people cannot leave: the doors may not be opened where the car is."""
        p = self.parameters
        off_level_m = _distance_to_multiple(self.car.position_m, p.floor_height_m)
        stranded = self._phase in {Phase.STRANDED, Phase.RESCUE}
        return stranded and bool(self._onboard) and off_level_m > p.landing_zone_m

    def _motor_runs(self) -> bool:
        return self._phase in {Phase.TRAVELLING, Phase.RUNNING_AWAY, Phase.RESCUE}

    def _weigh(self) -> None:
        true_kg = sum(rider.mass_kg for rider in self._onboard)
        noise_kg = self.parameters.load_cell_noise_kg * float(self._chance.standard_normal())
        self.load_kg = max(0.0, true_kg + noise_kg)


def _distance_to_multiple(value: float, step: float) -> float:
    over = value % step
    return min(over, step - over)
