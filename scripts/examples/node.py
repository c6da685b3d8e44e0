#!/usr/bin/python3
"""A node of galaxy-pool in Python: joins with a token, proves its time, and earns.

    node.py HOST --token GP1.... [--data FOLDER] [--https-port 8443] [--grpc-port 50051] [--slots N]

Needs protoc and three packages of Debian: python3-grpcio, python3-cryptography, python3-protobuf.
"""
import argparse, base64, binascii, hashlib, hmac, importlib, json, os, pathlib, secrets, socket
import ssl, struct, subprocess, sys, tempfile, time, urllib.request
import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat)

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "src" / "proto"
POOL_NAME = "pool.galaxy-pool.internal"  # in every pool's certificate: joining by address works
CALL_SECONDS = 10
NO_HASH = bytes(32)
FULL_HEALTH = 1000

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def load_protos():
    """The message classes, made from the .proto files by protoc."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["protoc", f"-I{PROTOS}", f"--python_out={folder}"]
        subprocess.run([*command, "enrolment.proto", "registry.proto"], check=True)
        sys.path.insert(0, folder)
        return [importlib.import_module(name) for name in ("enrolment_pb2", "registry_pb2")]

class Token:
    """GP1.<pool>.<pin>.<id>.<secret>.<crc32>: where to go, whom to trust, the right to come in."""

    def __init__(self, text):
        said, _, checksum = text.strip().rpartition(".")
        if not said.startswith("GP1.") or f"{binascii.crc32(said.encode()):08x}" != checksum:
            sys.exit("This is no join token; copy the whole line that begins with GP1.")
        _, self.pool, pin, self.id, self.secret = said.split(".")
        self.pin = base64.b32decode(pin.upper() + "====")

    def proof(self, request, leaf):
        """Shows that the secret is known, for this request on this connection; it never travels."""
        names = (request.node_name, request.specialization, request.pool_id)
        prefixed = [struct.pack(">H", len(name.encode())) + name.encode() for name in names]
        said = (b"gp-enroll-v1", self.id.encode(), sha256(request.csr), request.nonce,
                sha256(leaf), sha256(*prefixed))
        return hmac.digest(sha256(self.secret.encode()), b"".join(said), "sha256")

def fetch_root(host, port, pin):
    """The CA, fetched without trust, then held against the pin: until then nothing is sent."""
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}/api/v1/authority"
    blind = ssl._create_unverified_context()
    with urllib.request.urlopen(url, context=blind, timeout=CALL_SECONDS) as answer:
        pem = json.load(answer)["root_pem"].encode()
    key = x509.load_pem_x509_certificate(pem).public_key()
    seen = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if seen != pin:
        sys.exit(f"{host} is not the pool of this token, or somebody is in between. Nothing was "
                 f"sent. The token says {pin.hex()}, the pool shows {seen.hex()}.")
    return pem

def leaf_of(host, port, root):
    """The certificate (DER) the gRPC port answers with, verified against the root."""
    context = ssl.create_default_context(cadata=root.decode())
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, port), timeout=CALL_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=POOL_NAME) as tls:
            return tls.getpeercert(binary_form=True)

def key_in(folder):
    """This node's Ed25519 key: made once, in a file only its owner can read."""
    path = folder / "node.key"
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())

class Pool:
    """A connection to the gRPC port; with a certificate, calls are the node's own."""

    def __init__(self, host, port, root, key=None, certificate=None):
        pems = {"root_certificates": root}
        if certificate:
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            pems |= {"private_key": pem, "certificate_chain": certificate}
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        options = [("grpc.ssl_target_name_override", POOL_NAME),
                   ("grpc.max_reconnect_backoff_ms", 1000)]
        self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(**pems), options)

    def call(self, method, request, reply_class, seconds=CALL_SECONDS):
        path = f"/galaxy.pool.v1.{method}"
        ask = self.channel.unary_unary(path, type(request).SerializeToString, reply_class.FromString)
        return ask(request, timeout=seconds)

def enrol(protos, token, key, root, options):
    """Exchanges the token and a signing request for a certificate of this node's key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = protos.EnrollRequest(
        token_id=token.id, csr=builder.sign(key, None).public_bytes(Encoding.DER),
        node_name=options.name, specialization=options.specialization,
        nonce=secrets.token_bytes(32), pool_id=token.pool)
    request.proof = token.proof(request, leaf_of(options.host, options.grpc_port, root))
    pool = Pool(options.host, options.grpc_port, root)
    return pool.call("Enrolment/Enroll", request, protos.EnrollReply)

class Session:
    """What is counted under one OPEN (poot.md, section 2): CLAIMs that build on RECEIPTs."""

    def __init__(self, key, pool_key, slot, slot_seconds, prev=NO_HASH):
        self.key, self.pool_key, self.start_slot = key, pool_key, slot
        self.node_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        said = (b"PoOT1OPN" + self.node_key + pool_key
                + struct.pack(">QHH", slot, slot_seconds, 0) + prev)
        self.open, self.id = said + key.sign(said), sha256(said)[:16]
        self.ticks, self.receipt, self.claim_hash = 0, b"", NO_HASH
        self.acknowledged, self.pending, self.made_in = False, None, 0

    def heartbeat(self, protos, slot):
        """The CLAIM that waits for its answer, as it was; or the next one."""
        if self.pending is None or slot > self.made_in + 1:
            self.pending, self.made_in = self._claim(slot), slot
        first = b"" if self.acknowledged else self.open
        return protos.HeartbeatRequest(open=first, claim=self.pending, receipt=self.receipt)

    def _claim(self, slot):
        receipt_hash = sha256(self.receipt) if self.receipt else NO_HASH
        said = (b"PoOT1CLM" + self.id + self.node_key + self.pool_key
                + struct.pack(">QQI", self.start_slot, slot, self.ticks + 1)
                + receipt_hash + struct.pack(">HH", FULL_HEALTH, 0) + self.claim_hash)
        return said + self.key.sign(said)

    def take(self, receipt):
        """Goes on from a newer RECEIPT: ver, key id, T, session, ticks, slot, open slot, claim."""
        _, _, _, session, ticks, _, _, claim_hash, _ = struct.unpack(">BBH16sIQQ32s16s", receipt)
        if session == self.id and ticks > self.ticks:
            self.ticks, self.receipt, self.claim_hash = ticks, receipt, claim_hash

def earn(protos, pool, key, enrolled, slots):
    """Heartbeat after heartbeat, each when the pool said to come; answers how many slots it proved."""
    proven, session, slot_seconds = 0, None, enrolled.slot_seconds
    ahead_ms = enrolled.pool_time_ms - time.monotonic() * 1000  # the pool's clock, from our own
    while slots is None or proven < slots:
        slot = int(time.monotonic() * 1000 + ahead_ms) // (slot_seconds * 1000)
        if session is None or (session.ticks == 0 and slot != session.start_slot):
            session = Session(key, enrolled.pool_key, slot, slot_seconds)
        try:
            reply = pool.call("Registry/Heartbeat", session.heartbeat(protos, slot),
                              protos.HeartbeatReply, min(CALL_SECONDS, slot_seconds / 2))
        except grpc.RpcError as error:  # the identical CLAIM is sent again
            print(f"no answer: {error.code().name} {error.details()}", file=sys.stderr)
            time.sleep(slot_seconds / 10)
            continue
        ahead_ms = reply.pool_time_ms - time.monotonic() * 1000
        outcome = reply.WhichOneof("outcome")
        if outcome == "unknown":
            sys.exit(f"The pool does not know this node: {reply.unknown.message}")
        if outcome == "reopen":
            session = Session(key, enrolled.pool_key, reply.slot, slot_seconds, session.claim_hash)
        before, session.pending = session.ticks, None
        if receipt := getattr(reply, outcome).receipt:
            session.take(receipt)
        proven += session.ticks - before
        print(f"slot {reply.slot} {outcome}, {session.ticks} proven in this session", flush=True)
        if reply.ack:  # "PoOT1ACK", claim, node key, ticks, total, slot, signature
            total, until = struct.unpack(">QQ", reply.ack[76:92])
            session.acknowledged = session.acknowledged or until >= session.start_slot
            print(f"{total} slots are credited", flush=True)
        time.sleep(max(reply.next_in_ms, 50) / 1000)
    return proven

def main():
    parser = argparse.ArgumentParser(description="A node of galaxy-pool.")
    parser.add_argument("host")
    parser.add_argument("--token", required=True)
    parser.add_argument("--data", default="galaxy-node")
    parser.add_argument("--https-port", type=int, default=8443)
    parser.add_argument("--grpc-port", type=int, default=50051)
    parser.add_argument("--name", default=socket.gethostname())
    parser.add_argument("--specialization", default="general")
    parser.add_argument("--slots", type=int, help="stop after so many proven slots")
    options = parser.parse_args()
    folder = pathlib.Path(options.data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = Token(options.token)
    enrolment, registry = load_protos()
    root = fetch_root(options.host, options.https_port, token.pin)
    key = key_in(folder)
    enrolled = enrol(enrolment, token, key, root, options)
    certificate = x509.load_der_x509_certificate(enrolled.certificate).public_bytes(Encoding.PEM)
    pool = Pool(options.host, options.grpc_port, root, key, certificate)
    what = registry.RegisterNodeRequest(name=options.name, specialization=options.specialization)
    node = pool.call("Registry/RegisterNode", what, registry.Node)
    print(f"joined as node {node.node_id} of pool {node.pool_id}", flush=True)
    print(f"{earn(registry, pool, key, enrolled, options.slots)} slots were proven")

if __name__ == "__main__":
    main()
