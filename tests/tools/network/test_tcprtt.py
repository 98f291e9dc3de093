"""tcprtt: a link of 40 ms there and back is in that bucket, far from its end at 64."""

import tcp
from toolbox import Tool

TALK = """
    link = tcp.Link(0.02)
    server = link.listener()
    client, accepted = link.connect(server)
    for _ in range(10):
        client.send(b"x")
        tcp.receive(accepted, 1)
        accepted.send(b"x")
        tcp.receive(client, 1)
    print(server.getsockname()[1])
"""


def test_forty_milliseconds():
    with tcp.namespace() as name, Tool("tcprtt", "-m", "-e", "-A", "10.9.0.0/24") as tool:
        tcp.python_in(name, TALK)
    buckets = tool.maps["@msecs"]
    assert sum(bucket["count"] for bucket in buckets) >= 20
    assert {bucket["min"] for bucket in buckets if bucket["count"]} <= {32, 64}
    in_place = [bucket["count"] for bucket in buckets if bucket["min"] == 32]
    assert sum(in_place) >= sum(bucket["count"] for bucket in buckets) / 2
    assert 40 <= tool.maps["@average"] < 90


def test_by_address_in_microseconds():
    with tcp.namespace() as name, Tool("tcprtt", "-B", "-a", "10.9.0.1") as tool, \
            Tool("tcprtt", "-a", "192.0.2.1") as none:
        tcp.python_in(name, TALK)
    of = tool.maps["@of"]
    assert set(of) == {"10.9.0.2"}
    assert min(bucket["min"] for bucket in of["10.9.0.2"] if bucket["count"]) >= 32768
    assert not any(none.maps.values())


def test_ends_by_itself():
    with Tool("tcprtt", "-i", 1, "-d", 2, "-T", json=False, ends=True) as tool:
        client, accepted, _, _ = tcp.pair()
        for _ in range(100):
            client.send(b"x")
            tcp.receive(accepted, 1)
    assert "@usecs:" in tool.text and tool.text[2] == ":"
