"""What can be chosen of the simulated camera: its scene, its sensor and its faults."""

from typing import Annotated

from annotated_types import Unit
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from drivers.fault_plan import FaultPlan
from drivers.picture_loop import LOOP_BYTES, LoopPlan
from thermoseg.cameras import CameraOptions


def _plan(text: str) -> str:
    FaultPlan.parse(text)
    return text


class SimulatedOptions(CameraOptions):
    """Scene and faults of the simulated camera."""

    width: Annotated[int, Field(ge=40, le=2048), Unit("px")] = 640
    """Columns of the picture."""
    height: Annotated[int, Field(ge=30, le=2048), Unit("px")] = 512
    """Rows of the picture."""
    rate_hz: Annotated[float, Field(gt=0, le=1000), Unit("Hz")] = 30.0
    """Frames per second."""
    seed: Annotated[int, Field(ge=0)] = 3
    """Chooses the person."""
    breaths_per_minute: Annotated[
        float, Field(ge=0, le=100, title="Breathing rate"), Unit("/min")
    ] = 15.0
    """Breaths in a minute; 0 holds the breath."""
    breath_depth_k: Annotated[float, Field(ge=0, le=10), Unit("K")] = 0.8
    """How far the nostrils cool down as the person breathes in."""
    yaw_deg: Annotated[float, Field(ge=-80, le=80), Unit("°")] = 0.0
    """The head turned to a side."""
    pitch_deg: Annotated[float, Field(ge=-45, le=45), Unit("°")] = 0.0
    """The head nodding."""
    roll_deg: Annotated[float, Field(ge=-180, le=180), Unit("°")] = 0.0
    """The head leant towards a shoulder."""
    face_height: Annotated[float, Field(ge=0.03, le=1.5)] = 0.5
    """Brows to chin, share of the picture's height."""
    motion: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How much the head sways; 0 holds it still, 1 is somebody who sits at ease."""
    glasses: bool = False
    """Whether the person wears glasses, which are opaque to thermal cameras."""
    room_c: Annotated[float, Field(ge=-30, le=60), Unit("°C")] = 23.0
    """Temperature of the room."""
    netd_k: Annotated[float, Field(ge=0, le=5), Unit("K")] = 0.03
    """Noise-equivalent temperature difference of the sensor."""
    perfect: bool = False
    """No noise, no blur, no drift, no shutter."""
    shutter_every_s: Annotated[float, Field(ge=0), Unit("s")] = 180.0
    """Seconds between two closings of the shutter; 0 for none."""
    frames: Annotated[int, Field(ge=0)] = 0
    """Number of frames; 0 for endless."""
    realtime: bool = True
    """Whether frames come at `rate_hz`, or as fast as they are read."""
    fault: Annotated[str, AfterValidator(_plan)] = ""
    """Faults and their moments, such as unplug@5s+2s,stall@12s; see `drivers.fault_plan`."""
    loop_s: Annotated[float, Unit("s"), Field(ge=0, le=3600)] = 0.0
    """Length of a film that is drawn before the first frame and then played round; 0 draws each
    picture anew.  Shortened to whole breaths, so that breathing goes on at its end."""

    @field_validator("loop_s")
    @classmethod
    def _fit_memory(cls, loop_s: float, info: ValidationInfo) -> float:
        given = info.data
        names = ("width", "height", "rate_hz", "breaths_per_minute")
        if not loop_s or any(name not in given for name in names):
            return loop_s
        width, height, rate_hz, breaths = (given[name] for name in names)
        needed = LoopPlan.fit(loop_s, rate_hz, breaths).bytes_of(width, height)
        if needed > LOOP_BYTES:
            most_s = int(loop_s * LOOP_BYTES / needed)
            remedy = f"ask for at most {most_s} s" if most_s else "use 0, or ask for fewer pixels"
            raise ValueError(
                f"{loop_s:g} s of {width}×{height} pixels at {rate_hz:g}/s take {needed / 1e9:.1f} "
                f"GB of memory; {remedy}"
            )
        return loop_s
