"""ls-qpack behind lines: a command and its arguments in hexadecimal, answered by one line."""

import sys

import pylsqpack

decoder = encoder = None


def unhex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def tohex(data):
    return data.hex() or "-"


def pairs(fields):
    return ",".join(f"{tohex(name)}={tohex(value)}" for name, value in fields) or "none"


def answer(command, *words):
    global decoder, encoder
    if command == "new":
        capacity, blocked = map(int, words)
        decoder = pylsqpack.Decoder(capacity, blocked)
        encoder = pylsqpack.Encoder()
        return tohex(encoder.apply_settings(capacity, blocked))
    if command == "inserts":
        return " ".join(map(str, decoder.feed_encoder(unhex(words[0])))) or "none"
    if command == "section":
        try:
            told, fields = decoder.feed_header(int(words[0]), unhex(words[1]))
        except pylsqpack.StreamBlocked:
            return "blocked"
        return f"{tohex(told)} {pairs(fields)}"
    if command == "resume":
        told, fields = decoder.resume_header(int(words[0]))
        return f"{tohex(told)} {pairs(fields)}"
    if command == "cancel":
        return tohex(decoder.cancel_stream(int(words[0])))
    if command == "encode":
        fields = []
        for pair in words[1].split(",") if words[1] != "none" else []:
            name, value = pair.split("=")
            fields.append((unhex(name), unhex(value)))
        inserts, section = encoder.encode(int(words[0]), fields)
        return f"{tohex(inserts)} {tohex(section)}"
    if command == "told":
        encoder.feed_decoder(unhex(words[0]))
        return "none"
    raise ValueError(command)


for line in sys.stdin:
    try:
        said = answer(*line.split())
    except Exception as error:
        said = f"failed {type(error).__name__} {error}"
    print(said, flush=True)
