"""The OpenAPI document says what the site does."""

from collections.abc import Iterator
from typing import Any

from router.web.openapi import METHODS
from tests.web.harness import OPERATOR, Harness

Node = dict[str, Any]


async def document(harness: Harness) -> Node:
    answer = await harness.client().get("/docs/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    return dict(answer.json())


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(value: object) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                if key == "$ref":
                    yield item
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


async def test_every_reference_leads_somewhere(harness: Harness) -> None:
    found = await document(harness)
    schemas = found["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in references(found)}
    assert named <= schemas.keys()
    assert schemas.keys() <= named


WITHOUT_BODY = ("reload", "{id}/retry", "resume", "sending/start", "sending/stop")


async def test_every_operation_is_named_once_and_described(harness: Harness) -> None:
    found = list(operations(await document(harness)))
    assert len({operation["operationId"] for _, _, operation in found}) == len(found)
    for method, path, operation in found:
        assert operation["summary"], path
        assert len(operation["tags"]) == 1, path
        (good,) = [status for status in operation["responses"] if status < "300"]
        assert ("content" in operation["responses"][good]) is (good != "204")
        assert ("requestBody" in operation) is (
            method in {"put", "post"}
            and not path.endswith(
                ("reload", "{id}/retry", "resume", "sending/start", "sending/stop")
            )
        )


async def test_schemas_speak_of_null_and_not_of_none(harness: Harness) -> None:
    schemas = (await document(harness))["components"]["schemas"]
    said = {name: schema.get("description", "") for name, schema in schemas.items()}
    assert [name for name, text in said.items() if "None" in text] == []
    assert "`next` is the cursor of the following page, null at the end" in said["Page_DeadLetter_"]


async def test_the_methods_of_a_path_come_in_one_order_at_every_start(harness: Harness) -> None:
    paths = (await document(harness))["paths"]
    assert list(paths["/v1/recipients/{uid}"]) == ["get", "put", "delete"]
    for methods in paths.values():
        assert list(methods) == [name for name in map(str.lower, METHODS) if name in methods]


async def test_every_parameter_of_a_path_is_declared(harness: Harness) -> None:
    for _, path, operation in operations(await document(harness)):
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}


async def test_lists_declare_their_filters(harness: Harness) -> None:
    found = await document(harness)
    names = [p["name"] for p in found["paths"]["/v1/notifications"]["get"]["parameters"]]
    assert names[-2:] == ["limit", "cursor"]
    assert set(names[:-2]) == {
        *("state", "feed", "kind"),
        *("recipient", "appId", "since", "until"),
    }
    limit = found["paths"]["/v1/deliveries"]["get"]["parameters"][-2]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)


async def test_the_webhook_is_in_it(harness: Harness) -> None:
    webhook = (await document(harness))["paths"]["/webhook"]["post"]
    assert set(webhook["responses"]) == {"200", "400", "401", "408", "413", "415", "503"}
    assert webhook["security"] == [{"basic": []}, {"signature": []}]


async def test_the_api_says_which_credential_it_takes(harness: Harness) -> None:
    for _, path, operation in operations(await document(harness)):
        if not path.startswith("/webhook"):
            assert ("security" in operation) is path.startswith("/v1/")
            assert operation.get("security", [{"key": []}]) == [{"key": []}]


async def test_answers_have_the_keys_their_schema_requires(harness: Harness) -> None:
    found = await document(harness)
    client = harness.client(OPERATOR)
    for path in ("/v1/notifications", "/v1/deliveries", "/v1/dead-letters", "/v1/rules"):
        schema = found["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        name = schema["schema"]["$ref"].rpartition("/")[2]
        keys = (await client.get(path)).json().keys()
        known = found["components"]["schemas"][name]
        assert set(known["required"]) <= keys <= known["properties"].keys()
