"""Switching a table between keys (R13, R14, R16, R41, R70)."""

import hashlib
import itertools
import threading
import time

import pytest
from support import canary, trail
from support.server import Background
from support.tables import (
    create_table, customer_key, describe, fill, item, refused, scan_all, sse, wait_switched, wait_until,
)

OWNED = {"SSESpecification": {"Enabled": False}}


def switch(dynamodb, table, kind, kms):
    """Switches `table` to a kind of key and returns its ARN (None: service-owned)."""
    if kind == "owned":
        dynamodb.update_table(TableName=table, **OWNED)
        arn = None
    elif kind == "managed":
        dynamodb.update_table(TableName=table, **sse())
        arn = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    else:
        arn = customer_key(kms)
        dynamodb.update_table(TableName=table, **sse(arn))
    wait_switched(dynamodb, table, arn)
    return arn


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(["owned", "managed", "customer"], 2)) + [("customer", "customer")])
def r13_every_switch_between_the_three_kinds(server, dynamodb, kms, before, after):
    """The table stays ACTIVE, keeps its items and goes on to take new ones."""
    parameters = {"owned": {}, "managed": sse(), "customer": sse(customer_key(kms))}[before]
    table = create_table(dynamodb, **parameters)
    written = fill(dynamodb, table, 50)
    switch(dynamodb, table, after, kms)
    assert describe(dynamodb, table)["TableStatus"] == "ACTIVE"
    written |= fill(dynamodb, table, 25, prefix="later")
    assert scan_all(dynamodb, table) == written


def r13_switched_tables_survive_a_crash(own_server):
    """Three switches, then kill -9: the last key's state decides, and every item is there."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    table = create_table(dynamodb)
    written = fill(dynamodb, table, 50)
    for kind in ("managed", "customer", "customer"):
        arn = switch(dynamodb, table, kind, kms)
    own_server.restart(crash=True)
    dynamodb = own_server.dynamodb
    assert scan_all(dynamodb, table) == written
    assert describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == arn


def r14_states_of_a_switch(server, dynamodb, kms):
    """TableStatus stays ACTIVE; SSEDescription goes UPDATING + old, UPDATING + new, ENABLED + new and never back."""
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    fill(dynamodb, table, 25)
    states = [("UPDATING", old), ("UPDATING", new), ("ENABLED", new)]
    answer = dynamodb.update_table(TableName=table, **sse(new))["TableDescription"]
    seen = [(answer["SSEDescription"]["Status"], answer["SSEDescription"]["KMSMasterKeyArn"])]
    assert answer["TableStatus"] == "ACTIVE"

    def complete():
        description = describe(dynamodb, table)
        assert description["TableStatus"] == "ACTIVE"
        seen.append((description["SSEDescription"]["Status"], description["SSEDescription"]["KMSMasterKeyArn"]))
        return seen[-1] == states[-1]

    wait_until(complete, "the switch is complete")
    order = [states.index(state) for state in seen]
    assert order == sorted(order), seen


def r14_each_state_lasts_where_statuses_do(make_server):
    """With `--status-delay-secs` a client sees the new key's ARN before the switch is complete; until then nothing else may
    happen to the table, and the grant on the old key stays."""
    server = make_server(arguments=["--status-delay-secs", "30"]).start()
    dynamodb, kms = server.dynamodb, server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, wait=False, **sse(old))
    server.advance(31)
    fill(dynamodb, table, 5)
    answer = dynamodb.update_table(TableName=table, **sse(new))["TableDescription"]
    assert (answer["TableStatus"], answer["SSEDescription"]["Status"]) == ("ACTIVE", "UPDATING")
    assert answer["SSEDescription"]["KMSMasterKeyArn"] == old

    def shown():
        description = describe(dynamodb, table)
        assert description["TableStatus"] == "ACTIVE"
        sse = description.get("SSEDescription", {})
        return sse.get("Status"), sse.get("KMSMasterKeyArn")

    wait_until(lambda: shown() == ("UPDATING", new), "the table is under its new key")
    time.sleep(2)
    assert shown() == ("UPDATING", new)
    in_use = "Attempt to change a resource which is still in use: "
    with refused("ResourceInUseException", f"{in_use}Server-Side Encryption is still being updated"):
        dynamodb.update_table(TableName=table, **sse(old))
    with refused("ResourceInUseException", f"{in_use}Table: {table} is in the process of being updated."):
        dynamodb.delete_table(TableName=table)
    assert kms.list_grants(KeyId=old)["Grants"]
    server.advance(31)
    wait_until(lambda: shown() == ("ENABLED", new), "the switch is complete")
    assert kms.list_grants(KeyId=old)["Grants"] == []
    # To the service-owned key, which is not shown: the one that is left, and then none.
    dynamodb.update_table(TableName=table, **OWNED)
    time.sleep(2)
    assert shown() == ("UPDATING", new)
    server.restart()
    # The clock is the machine's again, and has to come as far as it was.
    dynamodb, kms = server.dynamodb, server.kms
    assert describe(dynamodb, table)["SSEDescription"] == {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": new}
    server.advance(93)
    wait_until(lambda: shown() == (None, None), "the switch is complete")
    assert kms.list_grants(KeyId=new)["Grants"] == []
    assert len(scan_all(dynamodb, table)) == 5


def r14_the_old_key_is_free_after_the_switch(own_server):
    """Disabled and deleted, it has no effect on the table, not even after a restart."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    written = fill(dynamodb, table, 50)
    dynamodb.update_table(TableName=table, **sse(new))
    wait_switched(dynamodb, table, new)
    kms.disable_key(KeyId=old)
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    assert scan_all(dynamodb, table) == written
    own_server.restart(crash=True)
    own_server.advance(8 * 24 * 3600)
    dynamodb = own_server.dynamodb
    assert scan_all(dynamodb, table) == written
    dynamodb.put_item(TableName=table, Item=item("later"))
    assert describe(dynamodb, table)["TableStatus"] == "ACTIVE"
    own_server.kms.disable_key(KeyId=new)
    wait_until(
        lambda: describe(dynamodb, table)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "the new key counts"
    )


def r14_an_unusable_old_key_refuses_the_switch(own_server):
    """The old key must stay usable: with it disabled, no switch is made, and the error names the old key."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    written = fill(dynamodb, table, 25)
    kms.disable_key(KeyId=old)
    with refused("ValidationException", containing=["KMS key disabled error", old]):
        dynamodb.update_table(TableName=table, **sse(new))
    kms.enable_key(KeyId=old)
    wait_until(lambda: describe(dynamodb, table)["TableStatus"] == "ACTIVE", "the table is back")
    assert describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == old
    assert scan_all(dynamodb, table) == written


def digests(server) -> dict[str, bytes]:
    return {str(p): hashlib.sha256(p.read_bytes()).digest() for p in canary.files([server.data])}


def r16_a_switch_rewrites_no_data(own_server):
    """With readers and writers at work, twenty megabytes in the table and two switches: no request fails, and
    every data object that was there before is there afterwards, byte for byte.

    The only objects that may go are those that the store itself collects: write-ahead logs and old manifests.
    """
    dynamodb, kms = own_server.dynamodb, own_server.kms
    first, second = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(first))
    written = fill(dynamodb, table, 500, bytes_each=40_000)
    before = digests(own_server)

    def work(thread, turn):
        pk = f"load-{thread}-{turn}"
        dynamodb.put_item(TableName=table, Item=item(pk, value=pk))
        assert dynamodb.get_item(TableName=table, Key=item(pk), ConsistentRead=True)["Item"]["value"]["S"] == pk
        known = f"item-{(thread * 37 + turn) % 500:06}"
        assert dynamodb.get_item(TableName=table, Key=item(known))["Item"] == written[known]

    with Background(work, threads=4) as load:
        wait_until(lambda: load.done > 20, "the load runs")
        for arn in (second, first):
            mark = load.done
            dynamodb.update_table(TableName=table, **sse(arn))
            wait_switched(dynamodb, table, arn)
            wait_until(lambda mark=mark: load.done > mark + 20, "the load goes on")
    assert load.failures == []
    after = digests(own_server)
    changed = [path for path, digest in before.items() if path in after and after[path] != digest]
    # The lock file and its like are not data; objects of a store are never written twice.
    assert [path for path in changed if "LOCK" not in path.upper()] == []
    large = {path for path in before if own_server_size(path) > 64_000}
    assert large & set(after), "nothing of the twenty megabytes was still there to compare"
    scanned = scan_all(dynamodb, table)
    assert {pk: scanned.get(pk) for pk in written} == written


def own_server_size(path) -> int:
    import os

    return os.path.getsize(path) if os.path.exists(path) else 0


def r16_the_time_of_a_switch_does_not_depend_on_size(own_server):
    """Forty megabytes or one item: a switch is done within two seconds."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    keys = [customer_key(kms) for _ in range(2)]
    small, large = (create_table(dynamodb, **sse(keys[0])) for _ in range(2))
    fill(dynamodb, small, 1)
    fill(dynamodb, large, 400, bytes_each=100_000)
    took = {}
    for table in (small, large):
        started = time.monotonic()
        dynamodb.update_table(TableName=table, **sse(keys[1]))
        wait_switched(dynamodb, table, keys[1])
        took[table] = time.monotonic() - started
    assert took[large] < 2, took


def r13_a_switch_that_is_none_is_refused(dynamodb, kms):
    """The service's own words for a switch to the key that the table has."""
    owned = create_table(dynamodb)
    with refused("ValidationException", containing=["Table is already encrypted by default"]):
        dynamodb.update_table(TableName=owned, **OWNED)
    metadata = kms.create_key()["KeyMetadata"]
    table = create_table(dynamodb, **sse(metadata["Arn"]))
    with refused("ValidationException", containing=["Table is already encrypted with given KMSMasterKeyId"]):
        dynamodb.update_table(TableName=table, **sse(metadata["Arn"]))


def r13_a_switch_stands_alone(dynamodb, kms):
    table = create_table(dynamodb)
    with refused(
        "ValidationException",
        containing=["Server-Side Encryption modification must be the only operation in the request"],
    ):
        dynamodb.update_table(
            TableName=table,
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            **sse(customer_key(kms)),
        )
    assert "SSEDescription" not in describe(dynamodb, table)


def r13_four_switches_a_day(own_server):
    """Four per table in 24 hours, afterwards one per 6 hours (LimitExceededException)."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    keys = [customer_key(kms) for _ in range(2)]
    table = create_table(dynamodb, **sse(keys[0]))
    for n in range(4):
        arn = keys[(n + 1) % 2]
        dynamodb.update_table(TableName=table, **sse(arn))
        wait_switched(dynamodb, table, arn)
    with refused("LimitExceededException"):
        dynamodb.update_table(TableName=table, **sse(keys[1]))
    own_server.advance(6 * 3600 + 60)
    dynamodb.update_table(TableName=table, **sse(keys[1]))
    wait_switched(dynamodb, table, keys[1])
    with refused("LimitExceededException"):
        dynamodb.update_table(TableName=table, **sse(keys[0]))
    own_server.advance(24 * 3600 + 60)
    dynamodb.update_table(TableName=table, **sse(keys[0]))
    wait_switched(dynamodb, table, keys[0])


def r13_switches_at_the_same_time(own_server):
    """Two switches of one table at the same moment: each is done or refused as busy, and the table's key is one
    of the two at the end, with every item."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    keys = [customer_key(kms) for _ in range(3)]
    table = create_table(dynamodb, **sse(keys[0]))
    written = fill(dynamodb, table, 50)
    errors = []

    def attempt(arn):
        try:
            own_server.dynamodb.update_table(TableName=table, **sse(arn))
        except dynamodb.exceptions.ResourceInUseException as error:
            errors.append(error)

    threads = [threading.Thread(target=attempt, args=(arn,)) for arn in keys[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) < 2
    wait_until(lambda: describe(dynamodb, table)["SSEDescription"]["Status"] == "ENABLED", "settled")
    arn = describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"]
    assert arn in keys[1:]
    for other in set(keys) - {arn}:
        kms.disable_key(KeyId=other)
    own_server.restart(crash=True)
    assert scan_all(own_server.dynamodb, table) == written


def r70_moving_an_alias_does_not_rekey_a_table(own_server):
    """The alias moves to another key; the table keeps the key that the alias meant when it was named."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    kms.create_alias(AliasName="alias/moving", TargetKeyId=old)
    table = create_table(dynamodb, **sse("alias/moving"))
    written = fill(dynamodb, table, 25)
    kms.update_alias(AliasName="alias/moving", TargetKeyId=new)
    assert describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == old
    kms.disable_key(KeyId=new)
    own_server.restart()
    dynamodb = own_server.dynamodb
    assert scan_all(dynamodb, table) == written
    assert describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == old
    assert trail.events(own_server, "GenerateDataKey", table=table)[-1]["requestParameters"]["keyId"] == old
