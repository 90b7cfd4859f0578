"""What Patroni itself decides: its own classes, given raw DCS keys and REST bodies.

Reads one JSON object a line and answers with one JSON object a line. Run it with the Python of a virtual
environment in which Patroni is installed. Only what would talk to the network, to PostgreSQL or to a watchdog
is replaced; every decision is made by the code of Patroni.
"""
import json
import logging
import sys
import traceback
import types

from io import BytesIO

logging.disable(logging.CRITICAL)

from patroni import api, global_config, ha  # noqa: E402
from patroni.dcs import Cluster, Failover  # noqa: E402
from patroni.dcs.etcd3 import Etcd3  # noqa: E402
from patroni.tags import Tags  # noqa: E402

# Answers are taken in the order in which they were asked for, without threads.
ha.concurrent = types.SimpleNamespace(futures=types.SimpleNamespace(as_completed=lambda futures: futures))


class Answered:
    def __init__(self, result):
        self._result = result

    def result(self):
        return self._result


class AtOnce:
    @staticmethod
    def submit(function, *args):
        return Answered(function(*args))


ha.thread_pool = types.SimpleNamespace(get_executor=lambda: AtOnce)


class Response:
    def __init__(self, body):
        self.data = body.encode('utf-8')


class Postgres:
    """The server that one member runs, as its own GET /patroni describes it."""

    supports_multiple_sync = True
    cancellable = None
    _rewind = None

    def become(self, name, body):
        wal = body.get('wal') or body.get('xlog') or {}
        self.name = name
        self.state = body.get('state')
        self.sysid = body.get('database_system_identifier', '')
        self._primary = bool(wal.get('location')) or body.get('role') in ('primary', 'master')
        self.role = 'primary' if self._primary else 'replica'
        self._timeline = body.get('timeline')
        self._position = max(wal.get('received_location', 0), wal.get('replayed_location', 0))

    def is_primary(self):
        return self._primary

    def is_starting(self):
        return self.state == 'starting'

    def last_operation(self):
        return self._position

    def replica_cached_timeline(self, _):
        return self._timeline

    def get_primary_timeline(self):
        return self._timeline or 0


class Store(Etcd3):
    """Patroni's own reading of the keys, without a connection."""

    def __init__(self):
        self._name = ''
        self._ctl = True
        self._last_failsafe = None
        self.requested = None
        self.state = None

    event = types.SimpleNamespace(set=lambda: None)
    ttl = 30
    loop_wait = 10

    def read(self, keys):
        nodes = {key: {'key': key, 'value': value, 'mod_revision': '1', 'lease': '1'} for key, value in keys}
        cluster = self._cluster_from_nodes(nodes)
        self._last_failsafe = cluster.failsafe
        return cluster

    def get_cluster(self):
        return self.state

    def manual_failover(self, leader, candidate, scheduled_at=None, version=None):
        self.requested = [leader, candidate, bool(scheduled_at)]
        return True


class Member(Tags):
    """The Patroni that decides."""

    def __init__(self):
        self.postgresql = Postgres()
        self.dcs = Store()
        self.watchdog = types.SimpleNamespace(is_healthy=True)
        self.config = types.SimpleNamespace(dynamic_configuration={})
        self.answers = {}
        self._tags = {}

    @property
    def tags(self):
        return self._tags

    def request(self, member, *_, **__):
        body = self.answers[member.api_url]
        if body is None:
            raise ConnectionError('no answer')
        return Response(body)

    def become(self, name, body):
        self.postgresql.become(name, body)
        self._tags = body.get('tags', {})
        self.watchdog.is_healthy = not body.get('watchdog_failed', False)


me = Member()


class Demotion:
    """Takes the place of the executor: that Patroni would demote itself is all that counts."""

    def try_run_async(self, *_):
        return None


judge = ha.Ha(me)
judge._async_executor = Demotion()


class Handler(api.RestApiHandler):
    def __init__(self):
        self.server = types.SimpleNamespace(patroni=me, check_access=lambda *_, **__: True)
        me.ha = judge
        self.answer = None

    def _read_json_content(self, body_is_optional=False):
        return self.body

    def write_response(self, status_code, body, **_):
        self.answer = [status_code, body]

    def poll_failover_result(self, *_):
        return 200, 'accepted'


handler = Handler()


def decide(case):
    me.answers = {url: body for url, body in case['answers']}
    everything = me.dcs.read(case['keys'])
    # Without /config Patroni would go by the last one that it knew: here by none.
    global_config._GlobalConfig__config = {}
    global_config.update(everything)
    return {
        'race': races(case, everything),
        'gate': [gate(everything, case['leader'], case['leaderBody'], *one) for one in case['gates']],
        'api': [precheck(everything, one) for one in case['requests']],
    }


def changed(cluster, **fields):
    """The same cluster with other fields: a Cluster cannot be changed by _replace."""
    return Cluster(*(fields.get(name, value) for name, value in zip(Cluster._fields, cluster)))


def races(case, everything):
    """Which members take the lock when the holder of the lock and its node are gone."""
    gone = case['leader']
    left = me.dcs.read([[key, value] for key, value in case['keys'] if key not in ('leader', 'members/' + str(gone))])
    answers = dict(me.answers)
    for url in case['goneUrls']:
        me.answers[url] = None
    former = everything.leader or former_leader(everything, case['former'])
    results = []
    for name, text in case['racers']:
        # Patroni appends to the list of members of the last cluster that had a leader.
        judge.old_cluster = changed(everything, leader=former, members=list(everything.members))
        judge.cluster = changed(left, members=list(left.members))
        results.append(race(name, json.loads(text)))
    me.answers = answers
    return results


def race(name, body):
    me.become(name, body)
    # Ha._run_cycle recovers PostgreSQL, or waits until it has started, before it looks at the lock.
    if 'xlog' not in body and 'wal' not in body:
        return False
    if me.postgresql.is_starting():
        if not judge.is_paused():
            return False
        me.postgresql.state = 'running'  # as Ha.handle_starting_instance says in a pause
    return bool(judge.is_healthiest_node())


def former_leader(cluster, name):
    """The leader of the last cluster that had one: the DCS has only its name, in /history."""
    return types.SimpleNamespace(name=name) if name else None


def gate(everything, leader, text, from_leader, candidate):
    """Whether the holder of the lock lets itself be demoted for what is in /failover."""
    me.become(leader, json.loads(text))
    request = json.dumps({'leader': from_leader or '', 'member': candidate or ''})
    judge.cluster = judge.old_cluster = changed(everything, failover=Failover.from_node('1', request))
    return bool(judge.process_manual_failover_from_leader())


def precheck(everything, request):
    me.dcs.state = everything
    me.dcs.requested = None
    handler.answer = None
    handler.body = request['body']
    judge.cluster = everything
    handler.do_POST_failover(request['action'])
    status, text = handler.answer
    return None if me.dcs.requested else [status, text]


for line in sys.stdin:
    case = json.loads(line)
    try:
        result = decide(case)
    except Exception as error:
        result = {'error': f'{type(error).__name__}: {error}', 'at': traceback.format_exc()}
    sys.stdout.write(json.dumps(result) + '\n')
    sys.stdout.flush()
