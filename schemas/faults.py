"""Every code that a delivery can be given: what it means, what becomes of it, what to do next."""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a delivery. Each has exactly one, so the counts add up to what landed."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    DEFERRED = "deferred"
    DUPLICATE = "duplicate"
    ERASED = "erased"


class Effect(StrEnum):
    """What a code does to its delivery."""

    QUARANTINE = "quarantine"
    DEFER = "defer"
    FLAG = "flag"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Fault:
    """A code with its effect, meaning and the next step for a person."""

    code: str
    effect: Effect
    meaning: str
    next_step: str


_ASK = "ask the hospital to deliver the file again"
_Q, _D, _F = Effect.QUARANTINE, Effect.DEFER, Effect.FLAG

# fmt: off
_ALL = (
    # arriving
    Fault("NOT_STABLE", _D, "the file still changes", "nothing: the next run looks again"),
    Fault("WAITING_PAIR", _D, "the sidecar or its media file is not there yet", "nothing: the next run looks again"),
    Fault("ORPHAN", _Q, "its sidecar or media file never came", "ask the hospital for the missing half, then release"),
    Fault("UNSAFE_NAME", _Q, "path traversal, a link, or odd characters in the path", "have it delivered under a plain name"),
    Fault("UNREADABLE", _Q, "the file cannot be read", "mend its permissions, then release"),
    Fault("FOLDER_UNREADABLE", _D, "a folder cannot be listed: what is in it waits", "mend its permissions: the next run looks again"),
    Fault("VANISHED", _Q, "it was gone from the landing zone before it could be taken in", _ASK),
    Fault("REPLACED", _Q, "a newer file came under its name before it was tried again", "nothing; if both are wanted, have this one delivered under another name"),
    Fault("SIDECAR_INVALID", _Q, "the sidecar is not what the contract says", "have the sidecar corrected"),
    Fault("CHECKSUM_MISMATCH", _Q, "the bytes differ from the sidecar's SHA-256", _ASK),
    Fault("EMPTY_FILE", _Q, "zero bytes", _ASK),
    Fault("UNEXPECTED_FILE", _Q, "no file of the landing contract", "see what it is; have it removed or renamed"),
    Fault("STORAGE_UNAVAILABLE", _D, "the landing zone did not answer", "nothing: the next run tries again; if it stays, see whether the storage is up"),
    Fault("NOT_JUDGED", _D, "judging it failed for a reason that is not its own", "report it as a defect, with state/painlake.log; the next run tries again"),
    Fault("RELEASED", _D, "released from quarantine: the next run tries again", "run `painlake ingest`"),
    Fault("AWAITING_PUBLICATION", _D, "accepted, but in no published version yet", "nothing; if it stays, look at `painlake status`"),
    # person, consent, protocol
    Fault("UNKNOWN_ID", _Q, "no such person in participants.csv", "have the person registered, then release"),
    Fault("NO_CONSENT", _Q, "no consent of the needed scope stood when it was recorded", "check the consent form; release once consent is recorded"),
    Fault("ERASED_SUBJECT", _Q, "the person has been erased", "find out why the hospital sent it; delete it at the source"),
    Fault("PROTOCOL_UNDERAGE", _Q, "under age when recorded", "tell the principal investigator"),
    Fault("PROTOCOL_EXCLUDED", _Q, "an exclusion criterion holds", "tell the principal investigator"),
    Fault("PROTOCOL_CONTROL_IN_PAIN", _Q, "a control with NRS above 0", "check the group or the score"),
    Fault("PROTOCOL_CONTROL_REPEATED", _Q, "a control has more than one recording", "check the group"),
    Fault("PROTOCOL_LANGUAGE", _Q, "a language that the protocol does not have", "check the sidecar"),
    Fault("PROTOCOL_DURATION", _Q, "longer than the protocol allows", "have it cut at the hospital"),
    # media
    Fault("NO_INDEX", _Q, "the container's index (moov) is missing: the upload was cut", _ASK),
    Fault("TRUNCATED", _Q, "less media than the header declares", _ASK),
    Fault("TYPE_MISMATCH", _Q, "the content is of another type than the name", _ASK),
    Fault("BAD_RIFF", _Q, "a WAV whose structure contradicts itself", _ASK),
    Fault("BAD_TIMESTAMPS", _Q, "timestamps run backward or are absurd", _ASK),
    Fault("LENGTH_UNKNOWN", _F, "written live: nothing in the file says where it should end, so a cut need not show", "compare its length with the sidecar's tasks"),
    Fault("DECODE_ERRORS", _F, "some frames could not be decoded", "look at the share in quality_measures"),
    Fault("TOO_MANY_DECODE_ERRORS", _Q, "too large a share could not be decoded", _ASK),
    Fault("DECODER_CRASH", _Q, "the decoder crashed", _ASK),
    Fault("DECODER_TIMEOUT", _Q, "decoding took too long", _ASK),
    Fault("RESOURCE_LIMIT", _Q, "the file asks for more memory than a worker may have", _ASK),
    Fault("NO_VIDEO", _Q, "no video track", "check the delivery; studies of sound alone may allow it in params.yaml"),
    Fault("NO_AUDIO", _Q, "no audio track", "check the delivery; studies of video alone may allow it in params.yaml"),
    Fault("CODEC_NOT_ALLOWED", _Q, "picture or sound is coded in a way that is not known to be safe", "ask for H.264 and AAC in MP4, or another usual codec"),
    Fault("SCRUB_FAILED", _Q, "metadata survived stripping", "report it as a defect: nothing was published"),
    Fault("SILENT", _F, "the audio is silent", "check the microphone"),
    Fault("CLIPPED", _F, "the audio is clipped", "check the recording level"),
    Fault("NO_SPEECH", _F, "hardly any speech", "check the microphone"),
    Fault("NOISY", _F, "a low signal-to-noise ratio", "check the room"),
    Fault("DARK", _F, "a dark image", "check the light"),
    Fault("BLURRED", _F, "a blurred image", "check the focus"),
    Fault("LOW_RESOLUTION", _F, "a small image", "check the camera's setting"),
    Fault("LOW_FRAME_RATE", _F, "few frames a second", "check the camera's setting"),
    Fault("VARIABLE_FRAME_RATE", _F, "an irregular frame rate; true timestamps are kept", "nothing"),
    Fault("SHORT", _F, "a short recording", "nothing"),
    Fault("AV_DESYNC", _F, "audio and video differ in length", "look at it before using both"),
    Fault("NO_FACE", _F, "no face in any frame", "look at the framing"),
    Fault("LOW_FACE_COVERAGE", _F, "a face in too few frames", "look at the framing"),
    Fault("MULTI_PERSON", _Q, "a second person is in the picture", "have it cut; a third person's data may not be processed"),
    # what a face engine needs besides the recording
    Fault("ENGINE_INPUT_MISSING", _D, "the face engine's file for this recording is not there yet", "put it into face.openface.csv_folder: the next run looks again"),
    Fault("ENGINE_INPUT_UNFIT", _D, "the face engine's file is malformed, or does not fit the video", "make it anew from this very recording: the next run looks again"),
    Fault("ENGINE_FAILED", _Q, "the face engine's program failed on it", "see what it said, mend the program, then release"),
    Fault("CLOCK_SKEW", _F, "recorded after it was delivered: the device's clock is off", "check the device's clock"),
    # identity of deliveries
    Fault("DUPLICATE", Effect.DUPLICATE, "the same bytes were delivered before", "nothing: there is one recording"),
    Fault("SUPERSEDES", _F, "new bytes under a name delivered before", "nothing: the earlier recording stays in the earlier versions"),
    # tables
    Fault("CSV_DIALECT", _Q, "the file cannot be read as CSV", "ask the hospital for a plain CSV"),
    Fault("SCHEMA_DRIFT", _Q, "columns are missing or renamed", "ask the hospital which column is which"),
    Fault("VALUE_RANGE", _Q, "a value outside its range or of another type", "ask for the right value"),
    Fault("ID_FORMAT", _Q, "an ID mangled by a spreadsheet", "ask for the ID as text"),
    Fault("KEY_CONFLICT", _Q, "one key twice with different values", "ask which row is right"),
    Fault("FREE_TEXT_PII", _Q, "free text where a code is due, or a name in it", "have the text removed"),
)
# fmt: on

FAULTS = {fault.code: fault for fault in _ALL}
