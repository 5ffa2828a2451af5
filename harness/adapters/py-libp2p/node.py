"""One py-libp2p host with its KadDHT; it may be started and stopped again and again.

Each public coroutine is a method of the control protocol. Its parameters are those which py-libp2p can honour.
"""

from importlib.metadata import version

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.kad_dht.common import PROTOCOL_ID
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo, info_from_p2p_addr
from libp2p.peer.peerstore import PeerStoreError
from libp2p.records.utils import InvalidRecordType
from libp2p.records.validator import Validator
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
from multiaddr.exceptions import Error as MultiaddrError

IDENTIFY_LIMIT = 5  # seconds for identify after a dial: connect() of the host does not wait for it
FOREVER = 10 * 365 * 24 * 3600  # seconds: how long an address that we were told of stays
ALL = 1 << 30  # more providers than there are: find_providers wants a count

PORTS = {"tcp": "/tcp/0", "quic": "/udp/0/quic-v1"}
MODES = {"server": DHTMode.SERVER, "client": DHTMode.CLIENT}


def peer_id(text):
    try:
        return ID.from_string(text)
    except Exception as err:  # of many kinds, by what is wrong
        raise ValueError(f"{text!r:.80}: expected a peer id: {err}") from err


def peer_addr(text):
    """An address that ends in /p2p/ and a peer id."""
    try:
        return info_from_p2p_addr(Multiaddr(text))
    except Exception as err:
        raise ValueError(f"{text!r:.200}: expected an address with /p2p/: {err}") from err


def bare_addr(text):
    """An address, without its /p2p/ if it has one."""
    try:
        addr = Multiaddr(text)
        return info_from_p2p_addr(addr).addrs[0] if addr.get_peer_id() else addr
    except (MultiaddrError, TypeError, ValueError) as err:
        raise ValueError(f"{text!r:.200}: expected an address: {err}") from err


def readable(addrs):
    """The addresses as text. Multiaddr(bytes) takes any bytes, and only its text fails: such a one was told by a peer."""
    texts = []
    for addr in addrs:
        try:
            texts.append(str(addr))
        except (MultiaddrError, ValueError):
            continue
    return texts


class ValueNamespace(Validator):
    """The namespace v of every adapter: valid begins with "ok ", best is the greatest by bytes."""

    def validate(self, key, value):
        if not value.startswith(b"ok "):
            raise InvalidRecordType('a value of namespace v begins with "ok "')

    def select(self, key, values):
        return values.index(max(values))


class Node:
    METHODS = (
        "hello", "start", "stop", "connect", "add_address", "remove_peer", "bootstrap", "table", "get_closest_peers",
        "find_peer", "put_record", "get_record", "remove_record", "start_providing", "get_providers", "set_mode",
    )
    OPTIONS = (
        "listen", "transports.tcp", "transports.quic", "namespaces.pk", "namespaces.ipns", "namespaces.v", "keys.text",
        "filter.none", "background", "get_closest_peers.n", "get_record.quorum", "get_providers.limit",
    )

    def __init__(self, nursery, bad_param, failed):
        self.nursery, self.bad_param, self.failed = nursery, bad_param, failed
        self.host = self.dht = self.scope = self.ended = None

    async def hello(self, *, version: int):
        if version != 1:
            raise self.bad_param("version", f"{version}: this adapter speaks 1")
        return {
            "name": "py-libp2p", "version": f"v{library()}", "language": "python", "protocols": [PROTOCOL_ID],
            "methods": sorted([*self.METHODS, "cancel"]), "options": self.OPTIONS,
        }

    async def start(
        self, *, seed: bytes, mode: str, protocol: str = PROTOCOL_ID, listen: str = "/ip4/127.0.0.1",
        transports: list = ("tcp",), namespaces: list = (), filter: str = "none", background: bool = False,
    ):
        if len(seed) != 32:
            raise self.bad_param("seed", f"{len(seed)} bytes: expected 32")
        for param, value, honoured in (
            ("mode", mode, MODES), ("protocol", protocol, (PROTOCOL_ID,)), ("filter", filter, ("none",)),
            *(("transports", t, PORTS) for t in transports), *(("namespaces", n, ("pk", "ipns", "v")) for n in namespaces),
        ):
            if value not in honoured:
                raise self.bad_param(param, f"{value!r:.60}: expected {' or '.join(honoured)}")
        try:
            addrs = [Multiaddr(listen + PORTS[t]) for t in transports or ("tcp",)]
        except (MultiaddrError, ValueError) as err:
            raise self.bad_param("listen", err) from err
        if self.scope is not None:
            raise self.failed("other", True, "already started")
        self.scope, self.ended = trio.CancelScope(), trio.Event()
        try:
            host = new_host(
                key_pair=create_new_key_pair(seed), listen_addrs=addrs, enable_quic="quic" in transports,
                enable_tcp="tcp" in transports or not transports, disable_identify_address_discovery=True,
            )
            # No limit on how many peers of one network may enter the table: that is filter none.
            dht = KadDHT(host, MODES[mode], max_peers_per_subnet=0, max_peers_per_subnet_table=0)
            if "v" in namespaces:  # pk and ipns are there by default
                dht.register_validator("v", ValueNamespace())
            await self.nursery.start(self.live, host, dht, addrs, background)
        except OSError as err:
            self.scope = None
            raise self.bad_param("listen", err) from err
        except BaseException:
            self.scope = None
            raise
        return {"peer": host.get_id().to_base58(), "addrs": [str(a) for a in host.get_addrs()]}

    async def live(self, host, dht, addrs, background, task_status):
        """The node from start to stop, in a task of its own."""
        ended = self.ended
        try:
            with self.scope:
                async with host.run(listen_addrs=addrs):
                    self.host, self.dht = host, dht
                    if not background:
                        task_status.started()
                        await trio.sleep_forever()
                    # The service is the refresh, the republishing and the sweeps; requests are served without it.
                    async with background_trio_service(dht):
                        task_status.started()
                        await trio.sleep_forever()
        finally:
            self.host = self.dht = self.scope = None
            ended.set()

    async def stop(self):
        if self.scope is not None:
            ended = self.ended
            self.scope.cancel()
            await ended.wait()
        return {}

    def started(self):
        if self.dht is None:
            raise self.failed("other", True, "not started")
        return self.host, self.dht

    def known(self, peer):
        """A peer and its addresses, as results have them."""
        try:
            addrs = self.host.get_peerstore().addrs(peer)
        except PeerStoreError:
            addrs = []
        return {"peer": peer.to_base58(), "addrs": readable(addrs)}

    async def connect(self, *, addr: peer_addr):
        host, _ = self.started()
        await host.connect(addr)
        with trio.move_on_after(IDENTIFY_LIMIT):
            while not host.get_peerstore().get_protocols(addr.peer_id):
                await trio.sleep(0.005)
        return {"peer": addr.peer_id.to_base58()}

    async def add_address(self, *, peer: peer_id, addr: bare_addr):
        host, dht = self.started()
        host.get_peerstore().add_addrs(peer, [addr], FOREVER)
        taken = await dht.routing_table.add_peer(PeerInfo(peer, [addr]))
        return {"update": "success" if taken else "failed"}

    async def remove_peer(self, *, peer: peer_id):
        _, dht = self.started()
        return {"removed": dht.routing_table.remove_peer(peer)}

    async def bootstrap(self):
        _, dht = self.started()
        await dht.refresh_routing_table()
        return {}

    async def table(self):
        _, dht = self.started()
        return {"peers": [p.to_base58() for p in dht.routing_table.get_peer_ids()]}

    async def get_closest_peers(self, *, key: bytes, n: int = 0):
        _, dht = self.started()
        count = {"count": n} if n else {}
        return {"peers": [self.known(p) for p in await dht.peer_routing.find_closest_peers_network(key, **count)]}

    async def find_peer(self, *, peer: peer_id):
        _, dht = self.started()
        found = await dht.find_peer(peer)
        if found is None:
            raise self.failed("not_found", True, f"{peer} was not found")
        return {"peer": found.peer_id.to_base58(), "addrs": readable(found.addrs)}

    async def put_record(self, *, key: bytes, value: bytes):
        _, dht = self.started()
        text = self.text(key)
        try:
            await dht.put_value(text, value)
        except (InvalidRecordType, ValueError) as err:  # the latter: an older value than the one stored here
            raise self.failed("invalid", True, err) from err
        return {"stored": None}  # it does not tell who took it

    async def get_record(self, *, key: bytes, quorum: int = 0):
        _, dht = self.started()
        value = await dht.get_value(self.text(key), quorum)
        if value is None:
            raise self.failed("not_found", True, "no value was found")
        return {"value": value, "records": None}

    async def remove_record(self, *, key: bytes):
        _, dht = self.started()
        dht.value_store.remove(key)
        return {}

    async def start_providing(self, *, key: bytes):
        _, dht = self.started()
        told = await dht.provider_store.provide(key)
        return {"announced": None if told else []}  # it tells whether anybody was told, not who

    async def get_providers(self, *, key: bytes, limit: int = 0):
        _, dht = self.started()
        found = await dht.provider_store.find_providers(key, limit or ALL)
        return {"providers": [{"peer": p.peer_id.to_base58(), "addrs": readable(p.addrs)} for p in found]}

    async def set_mode(self, *, mode: str):
        _, dht = self.started()
        if mode not in MODES:
            raise self.bad_param("mode", f"{mode!r:.60}: expected server or client")
        await dht.switch_mode(MODES[mode])
        return {}

    def text(self, key):
        """A record's key, which this library takes as text alone."""
        try:
            return key.decode()
        except UnicodeDecodeError as err:
            raise self.bad_param("key", "py-libp2p takes keys of records as text, this one is none") from err


def library():
    return version("libp2p")
