"""What the server's guard has to know of Streamlit: its messages, and how a session is ended.

There is no public way to either: the messages are read with Streamlit's own protocol buffers, and
a session is ended by its runtime. No other module of the product knows of them.
"""

from google.protobuf.message import DecodeError
from streamlit import get_option, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# What a page needs. Not among them: what acts for everybody (`clear_cache`, `debug_…`), what
# looks at or changes the installation (`load_git_info`, `set_run_on_save`, `install_skills`), and
# whatever a later version adds.
_ALLOWED = {"rerun_script", "stop_script", "file_urls_request", "app_heartbeat"}
_OPERATION = "backend_operation_request"
_OPERATIONS = {"deferred_file", "dataframe_chunk"}


def kind(data: bytes) -> str:
    """What kind of message a browser sends, e.g. "rerun_script"; "unreadable" for none at all."""
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return "unreadable"
    name = message.WhichOneof("type") or "unreadable"
    if name != _OPERATION:
        return name
    fields = {field.name for field, _ in message.backend_operation_request.ListFields()}
    operations = fields - {"request_id", "session_id"}
    return operations.pop() if len(operations) == 1 else "unreadable"


def allowed(name: str) -> bool:
    """Whether a browser may send this kind of message."""
    return name in _ALLOWED or name in _OPERATIONS


def session_of(data: bytes) -> str | None:
    """The id of the session that the server tells a browser; None in all other messages."""
    message = ForwardMsg()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message.new_session.initialize.session_id or None


def end_session(session: str) -> None:
    """Forget a session which nobody will take up again; in the server's event loop only."""
    if runtime.exists():
        runtime.get_instance().close_session(session)


def base_path() -> str:
    """Where the application lies, e.g. "/her2"; empty at the top."""
    base = str(get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
