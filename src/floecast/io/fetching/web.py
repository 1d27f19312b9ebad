"""Files over HTTP: resumed, checked, and asked for politely."""

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from floecast.core.errors import InputError

from .errors import NotFetched, NotThere, TryAgain
from .manners import insist

# Answers that may be others a little later (RFC 9110, RFC 6585).
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 65536
# Of an answer that is kept in memory; a page of the catalogue is below 10 MB.
_MOST_BYTES = 64 * 2**20
_PART = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Web:
    """A session with the servers of one product.

    Credentials come from ``~/.netrc`` (or the file named by ``NETRC``), also where a server sends
    on to another one to log in; cookies last as long as the session.

    Parameters
    ----------
    manners : Manners
    agent : str
        What the program calls itself.
    login : Login or None
        Account that the product asks for, for messages.
    """

    def __init__(self, manners, agent, login=None):
        self.manners = manners
        self.login = login
        self._session = requests.Session()
        # The length and the parts of a file are those of its bytes as they are stored.
        self._session.headers.update({"User-Agent": agent, "Accept-Encoding": "identity"})
        self._last = -float("inf")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._session.close()

    def read(self, address, parameters=None, headers=None):
        """A short answer as a whole.

        Returns
        -------
        requests.Response

        Raises
        ------
        NotThere, NotFetched, InputError
            As in `download`; `NotFetched` also for more than 64 MiB.
        """

        def attempt(deadline):
            with self._ask(address, headers or {}, parameters) as answer:
                self._refuse(answer)
                body = bytearray()
                for chunk in self._chunks(answer, deadline):
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise NotFetched(f"{address}: sent more than {_MOST_BYTES >> 20} MiB")
            answer._content = bytes(body)
            return answer

        return insist(attempt, self.manners)

    def download(self, address, partial, parts=((0, None),)):
        """Bring what is missing of a file.

        Parameters
        ----------
        address : str
        partial : Partial
            What is there of it.
        parts : sequence of (int, int or None)
            First byte and the one after the last of the parts of the remote file that are wanted,
            one after the other; None is the end of the file.

        Raises
        ------
        NotThere
            If the server has no such file.
        NotFetched
            If it did not come in spite of all attempts.
        InputError
            If an account is missing or was refused.
        """

        def attempt(deadline):
            while not self._one_part(address, partial, parts, deadline):
                pass

        insist(attempt, self.manners, progress=lambda: partial.position)

    def _one_part(self, address, partial, parts, deadline):
        """Go on with the part that is not complete; whether there was none left."""
        place = _place(parts, partial.position)
        if place is None:
            return True
        first, stop = place
        headers = {}
        if first > 0 or stop is not None:
            headers["Range"] = f"bytes={first}-{'' if stop is None else stop - 1}"
        if partial.position > 0:
            if partial.version is None:  # nothing tells whether the rest would fit
                if len(parts) > 1:
                    raise NotFetched(f"{address}: the server tells no versions of its files")
                partial.begin(None, None)
                return False
            headers["If-Range"] = partial.version
        with self._ask(address, headers) as answer:
            if answer.status_code == 416:
                return _at_end(answer, partial, first, stop)
            self._refuse(answer)
            version = _version(answer)
            if answer.status_code == 206:
                begin, _, total = _part(answer, first, stop)
                if partial.position > 0 and _changed(partial, version, total):
                    partial.begin(None, None)
                    raise TryAgain(f"{address} changed on the way")
                if partial.position == 0:
                    partial.begin(version, total)
            elif stop is not None or parts[0][0] > 0:
                raise NotFetched(f"{address}: the server sends no parts of files")
            else:  # all of it: first request, or another version, or the server ignores Range
                partial.begin(version, _content_length(answer))
                first = 0
            before = partial.position
            for chunk in self._chunks(answer, deadline):
                if partial.position == 0 and _is_page(chunk):
                    raise self._no_data(answer)
                partial.write(chunk)
        if stop is not None:
            reached = _place(parts, partial.position)
            if reached is not None and reached == (first, stop):
                raise TryAgain(f"{address}: the server sent nothing")
            return reached is None
        reached = first + partial.position - before
        if partial.length is not None and reached < partial.length:
            raise TryAgain(f"{address}: {reached} of {partial.length} bytes came")
        return True

    def _ask(self, address, headers, parameters=None):
        """Send a request, not too soon after the last one."""
        time.sleep(max(0, self._last + self.manners.interval - time.monotonic()))
        self._last = time.monotonic()
        timeout = (self.manners.connect_seconds, self.manners.stall_seconds)
        try:
            answer = self._session.get(
                address, params=parameters, headers=headers, stream=True, timeout=timeout
            )
        except (requests.exceptions.SSLError, requests.TooManyRedirects) as error:
            raise NotFetched(f"{address}: {_reason(error)}") from None
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TryAgain(f"{address}: {_reason(error)}") from None
        except requests.RequestException as error:
            raise NotFetched(f"{address}: {_reason(error)}") from None
        if urlsplit(address).scheme == "https" and urlsplit(answer.url).scheme != "https":
            answer.close()
            raise NotFetched(f"{address}: sent on to {answer.url}, which is not encrypted")
        return answer

    def _chunks(self, answer, deadline):
        """What the server sends, piece by piece."""
        while True:
            try:
                # One read of the socket each, so that a trickle cannot outlast the deadline.
                chunk = answer.raw.read1(_CHUNK, decode_content=True)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise TryAgain(f"{answer.url}: {_reason(error)}") from None
            if not chunk:
                return
            yield chunk
            if time.monotonic() > deadline:
                raise NotFetched(f"{answer.url}: slower than {self.manners.total_seconds:.0f} s")

    def _refuse(self, answer):
        """Raise what an answer means if it is not the file."""
        code, address = answer.status_code, answer.url
        if code in (404, 410):
            raise NotThere(f"{address}: not there ({code})")
        if code in _PASSING:
            raise TryAgain(f"{address}: the server answers {code}", _retry_after(answer))
        if code in (401, 403):
            raise self._no_data(answer)
        if code not in (200, 206):
            raise NotFetched(f"{address}: the server answers {code}")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise self._no_data(answer)

    def _no_data(self, answer):
        """The error that a page or a refusal came in place of the data."""
        if answer.status_code in (401, 403):
            told = f"refuses access ({answer.status_code})"
        else:
            told = "sent a page in place of the data"
        host = urlsplit(answer.url).hostname
        if self.login is None:
            return NotFetched(f"{answer.url}: {host} {told}")
        return InputError(f"{host} {told}: {self.login.hint}")


def _place(parts, position):
    """First byte wanted next of the remote file, and the one after the last; None at the end."""
    for first, stop in parts:
        if stop is None or position < stop - first:
            return first + position, stop
        position -= stop - first
    return None


def _version(answer):
    """What identifies the version of a file for certain; None if nothing does.

    A weak tag may not be used with If-Range, nor may anything be resumed that was compressed on
    the way (RFC 9110, sections 8.8.1 and 13.1.5).
    """
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None
    tag = answer.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    return answer.headers.get("Last-Modified")


def _changed(partial, version, total):
    known = partial.length is not None and total is not None
    return version != partial.version or (known and total != partial.length)


def _part(answer, first, stop):
    """First and last byte of an answer, and the length of the file if it is told."""
    found = _PART.fullmatch(answer.headers.get("Content-Range", ""))
    begin, end = (int(found[1]), int(found[2])) if found else (-1, -1)
    if found is None or begin != first or (stop is not None and end >= stop):
        raise TryAgain(f"{answer.url}: another part came than the one asked for")
    return begin, end, None if found[3] == "*" else int(found[3])


def _at_end(answer, partial, first, stop):
    """Whether nothing is missing, where the server says that there are no bytes from here on."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if stop is None and total == str(first) == str(partial.length or total):
        return True
    partial.begin(None, None)
    raise TryAgain(f"{answer.url}: the server has not as many bytes as it said")


def _content_length(answer):
    """Bytes announced; None if they are not, or are those of something compressed."""
    length = answer.headers.get("Content-Length", "")
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isdecimal() and not encoded else None


def _retry_after(answer):
    """Seconds that the server asks to wait: a number, or until a date."""
    told = answer.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _is_page(chunk):
    return chunk[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _reason(error):
    """The innermost cause in a few words, without addresses of objects in memory."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__
    words = re.sub(r"<[^>]*>:? ?", "", str(error))
    return " ".join(words.split())[:200] or type(error).__name__
