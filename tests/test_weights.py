"""Weights that load: what a card vouches for, and nothing else."""

import functools
import http.server
import json
import threading
import types
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.saving import _download, pretrained, weights


@pytest.fixture
def saved(tmp_path):
    """A card of a small network with batch normalisation, and the network."""
    keras.utils.set_random_seed(1)
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), batch_norm=True, use_bias=True)
    weights.save_weights(model, tmp_path / "net.json", data="none", seed=1)
    return model, tmp_path / "net.json"


def build(spec="4C3-P2-10F", **overrides):
    fields = {"input_shape": (8, 8, 1), "batch_norm": True, "use_bias": True}
    return kps.build(spec, **{**fields, **overrides})


def test_weights_come_back_rounded_to_float16(saved):
    model, card = saved
    again = build(weights=card)
    assert weights.read_card(card)["seed"] == 1
    assert len(again.get_weights()) == len(model.get_weights()) == 8
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours.astype("float16").astype("float32"), theirs)
    # They are those of the twin and of the spiking network alike.
    kernel = ops.convert_to_numpy(again.snn.if_layers[0].twin.kernel)
    np.testing.assert_array_equal(kernel, again.get_weights()[0])


def test_the_range_and_the_names_of_the_classes_come_back_too(saved):
    model, card = saved
    assert not {"input_range", "class_names"} & set(weights.read_card(card))  # not known
    model.input_range, names = (0, 255), tuple("abcdefghij")
    model.class_names = names
    weights.save_weights(model, card, overwrite=True)
    again = build(weights=card)
    assert (again.input_range, again.class_names) == ((0, 255), names)
    assert build(weights=card, input_range=(-1, 1)).input_range == (-1, 1)
    weights.save_weights(model, card, overwrite=True, input_range=[1, 0])
    with pytest.raises(ValueError, match=r"`input_range` must be .* It stands in .*net.json"):
        build(weights=card)


@pytest.mark.parametrize(
    ("fact", "error", "message"),
    [
        ({"sha256": "0"}, ValueError, r"must have other names. Received: \['sha256'\]"),
        ({"file": "a.npz"}, ValueError, r"must have other names. Received: \['file'\]"),
        ({"accuracy": np.float32(1)}, TypeError, "not JSON serializable"),
    ],
)
def test_facts_that_a_card_cannot_hold_leave_no_file(saved, tmp_path, fact, error, message):
    (tmp_path / "new").mkdir()
    with pytest.raises(error, match=message):
        weights.save_weights(saved[0], tmp_path / "new" / "net.json", **fact)
    assert list((tmp_path / "new").iterdir()) == []


def test_kernels_come_back_from_int8_within_half_a_step(saved):
    model, card = saved
    kernel = model.ann.get_layer("conv1").kernel
    kernel.assign(ops.convert_to_numpy(kernel) * np.float32([0, 1, 2, 3]))
    weights.save_weights(model, card, overwrite=True, number_format="int8")
    assert weights.read_card(card)["number_format"] == "int8"
    again = build(weights=card)
    names = [name for name, _ in weights._variables(model.ann)]
    assert len(names) == 8
    for name, one, other in zip(names, model.get_weights(), again.get_weights(), strict=True):
        if one.ndim == 1:
            np.testing.assert_array_equal(one.astype("float16").astype("float32"), other)
            continue
        step = np.abs(one).max(axis=tuple(range(one.ndim - 1))) / 127
        assert (np.abs(one - other) <= 0.5001 * step).all(), name
        np.testing.assert_allclose(np.abs(other).max(axis=(*range(one.ndim - 1),)), 127 * step)
    with np.load(card.with_suffix(".npz")) as file:
        assert file["conv1/kernel"].dtype == np.int8
        assert file["conv1/kernel:scale"].shape == (4,)
    with pytest.raises(ValueError, match=r"`number_format` must be .*Received: 'int4'"):
        weights.save_weights(model, card, overwrite=True, number_format="int4")


def test_settings_of_a_card_are_those_of_the_network(saved):
    """A call's own settings go before."""
    _, card = saved
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), v_0=0.5, reset="subtract")
    settings = {"v_0": 0.5, "reset": "subtract", "time_steps": 7}
    weights.save_weights(model, card, overwrite=True, settings=settings)
    again = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), weights=card)
    assert (again.v_0, again.reset, again.time_steps) == (0.5, "subtract", 7)
    again = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), weights=card, time_steps=3)
    assert (again.reset, again.time_steps) == ("subtract", 3)
    weights.save_weights(model, card, overwrite=True, settings={"steps": 7})
    with pytest.raises(
        ValueError, match=r"'settings' of a card must be .*Received: \['steps'\] in"
    ):
        kps.build("4C3-P2-10F", input_shape=(8, 8, 1), weights=card)
    weights.save_weights(model, card, overwrite=True, settings=[7])
    with pytest.raises(ValueError, match=r"'settings' of a card must be a dict. Received: \[7\]"):
        kps.build("4C3-P2-10F", input_shape=(8, 8, 1), weights=card)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that a server on this machine publishes, its URL, and what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *values):
            asked.append(self.path)

    (tmp_path / "site").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    handler = functools.partial(Handler, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/net.json"
        yield types.SimpleNamespace(card=tmp_path / "site" / "net.json", url=url, asked=asked)
        server.shutdown()
        thread.join()


def publish(site, value):
    """Weights that are all of one value."""
    model = kps.build("10F", input_shape=(2, 2, 1))
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])
    weights.save_weights(model, site.card, overwrite=True, value=value)


def loaded(source):
    """The value of the weights, and that of the card."""
    model = kps.build("10F", input_shape=(2, 2, 1))
    card = weights.load_weights(model, source)
    (value,) = {float(v) for w in model.get_weights() for v in w.ravel()}
    return value, card["value"]


def test_a_card_that_was_published_again_is_loaded_anew(site):
    publish(site, 1)
    assert loaded(site.url) == (1, 1)
    assert loaded(site.url) == (1, 1)
    assert site.asked == ["/net.json", "/net.npz", "/net.json"]
    publish(site, 2)
    assert loaded(site.url) == (2, 2)
    assert site.asked[3:] == ["/net.json", "/net.npz"]


def test_weights_that_are_not_beside_their_card_come_from_its_url(site, tmp_path):
    publish(site, 1)
    card = tmp_path / "net.json"
    facts = json.loads(site.card.read_text())
    card.write_text(json.dumps({**facts, "url": site.url.replace(".json", ".npz")}))
    assert [loaded(card) for _ in range(2)] == [(1, 1)] * 2
    assert site.asked == ["/net.npz"]  # once; then the copy with its SHA-256 is enough
    site.card.with_suffix(".npz").rename(tmp_path / "net.npz")
    assert loaded(card) == (1, 1)
    publish(site, 2)
    facts = json.loads(site.card.read_text())
    (tmp_path / "net.npz").unlink()
    card.write_text(json.dumps({**facts, "sha256": "0" * 64, "url": site.url[:-4] + "npz"}))
    with pytest.raises(ValueError, match="must have the SHA-256 of their card"):
        loaded(card)


def test_a_copy_that_is_damaged_is_downloaded_again(site, tmp_path):
    publish(site, 1)
    loaded(site.url)
    for file in (tmp_path / "home").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-9])
    assert loaded(site.url) == (1, 1)


def test_a_card_whose_site_cannot_be_reached(site, monkeypatch):
    publish(site, 1)
    loaded(site.url)

    def unreachable(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(_download, "urlopen", unreachable)
    with pytest.warns(UserWarning, match=r"net\.json cannot be reached.*earlier download is used"):
        assert loaded(site.url) == (1, 1)
    with pytest.raises(ConnectionError, match=r"other\.json cannot be reached .*no network"):
        loaded(site.url.replace("net", "other"))


def test_a_card_that_was_withdrawn(site):
    publish(site, 1)
    loaded(site.url)
    site.card.unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no file http.*net\.json .*404"):
        loaded(site.url)
    with pytest.raises(FileNotFoundError, match=r"There is no file file:.*net\.json"):
        loaded(site.card.as_uri())


def test_another_page_does_not_replace_the_copy_of_a_card(site, monkeypatch):
    publish(site, 1)
    card = site.card.read_bytes()
    loaded(site.url)
    site.card.write_text("<html>Please log in</html>")
    with pytest.raises(ValueError, match=r"must be a card of weights. Received: http.*net\.json"):
        loaded(site.url)
    monkeypatch.setattr(_download, "_fetch", unreachable)
    with pytest.warns(UserWarning, match="earlier download is used"):
        assert weights.read_card(site.url) == json.loads(card)


def unreachable(url):
    raise ConnectionError(f"{url} cannot be reached.")


@pytest.mark.parametrize(
    "file",
    ["sub/net.npz", "../net.npz", "/etc/passwd", "sub\\net.npz", "C:net.npz", "", "..", "a" * 256],
)
def test_a_card_names_no_file_outside_of_its_folder(saved, file):
    _, card = saved
    card.write_text(json.dumps({**json.loads(card.read_text()), "file": file}))
    with pytest.raises(ValueError, match="'file' of a card must be the name of a file in the fold"):
        weights.read_card(card)


@pytest.mark.parametrize("url", ["../net.npz", "/etc/passwd", "file:///etc/passwd", "ftp://a/b"])
def test_the_url_of_a_card_is_on_the_web(saved, url):
    _, card = saved
    card.write_text(json.dumps({**json.loads(card.read_text()), "url": url}))
    with pytest.raises(ValueError, match="'url' of a card must begin with https:// or http://"):
        weights.read_card(card)


def test_copies_need_no_folder(site, tmp_path):
    publish(site, 1)
    (tmp_path / "home").write_text("a file")
    assert loaded(site.url) == (1, 1)
    assert loaded(site.card.as_uri()) == (1, 1)


def test_another_file_than_the_cards_is_refused(saved):
    _, card = saved
    other = kps.build("4C3-P2-10F", input_shape=(8, 8, 1))
    weights.save_weights(other, card.with_name("other.json"))
    card.with_suffix(".npz").write_bytes(card.with_name("other.npz").read_bytes())
    with pytest.raises(ValueError, match=r"must have the SHA-256 of their card.*net\.npz"):
        build(weights=card)


def test_weights_that_do_not_fit_are_refused(saved):
    with pytest.raises(ValueError, match=r"must fit the model.*'conv1/bias'.*besides"):
        build("8C3-P2-10F", use_bias=False, weights=saved[1])
    with pytest.raises(ValueError, match=r"\(3, 3, 1, 8\).*Received: .*\(3, 3, 1, 4\)"):
        build("8C3-P2-10F", weights=saved[1])


def test_bad_cards_are_refused(saved, tmp_path):
    model, card = saved
    with pytest.raises(FileNotFoundError, match="There is no file"):
        build(weights=tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"must be a card of weights.*net\.npz"):
        build(weights=card.with_suffix(".npz"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match=r"must have the format .*list\.json"):
        build(weights=tmp_path / "list.json")
    card.with_suffix(".npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no file .*net\.npz"):
        build(weights=card)
    with pytest.raises(FileExistsError, match=r"net\.json exists"):
        weights.save_weights(model, card)
    model.set_weights([np.full_like(w, 1e6) for w in model.get_weights()])
    with pytest.raises(ValueError, match=r"within float16's 65504.*1e\+06"):
        weights.save_weights(model, tmp_path / "large.json")
    assert not (tmp_path / "large.json").exists()


def test_an_unreachable_download_says_what_it_is(site, monkeypatch):
    publish(site, 1)
    monkeypatch.setattr(_download, "_fetch", unreachable)
    found = {**json.loads(site.card.read_text()), "preset": "digits"}
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1))
    with pytest.raises(ConnectionError, match=r"weights of digits are downloaded at their first"):
        weights.load_weights(model, site.url, found)


def test_presets_without_pretrained_weights():
    with pytest.raises(ValueError, match=r"'digits'.*Received: 'cifar10'"):
        kps.build("cifar10", weights="pretrained")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow, pytest.mark.any_backend] * (n != "digits"))
        for n in pretrained.pretrained_names()
    ],
)
def test_pretrained_weights_reach_the_figure_of_their_card(name, monkeypatch):
    card = weights.read_card(pretrained.pretrained_card(name))
    if kps.datasets.locate(card["data"]) is None:
        pytest.skip(f"{card['data']} is not on this machine")
    _, (x, y) = kps.datasets.load(card["data"])
    model = kps.build(name, weights="pretrained")
    assert model.time_steps == card["time_steps"]
    assert len(x) == card["test_images"]
    expected = card["accuracy"]["first"]
    if "url" in card:  # a large network
        x, y, expected = x[:1000], y[:1000], card["accuracy_of_first_1000"]
    simulate, rates = model.snn.simulate, []

    def seen(images, **options):
        simulation = simulate(images, **options)
        rates.append([float(rate) for rate in simulation.firing_rates])
        return simulation

    if name != "digits":  # a large network, which simulates each image once
        model.run_eagerly = True
        model.evaluate(x[:1], y[:1], verbose=0)  # Keras first tries its step on made-up images
        monkeypatch.setattr(model.snn, "simulate", seen)
    found = model.evaluate(x, y, batch_size=100, verbose=0, return_dict=True)
    if name == "digits":
        seen(x[:1000])
    else:
        assert len(rates) == len(x) / 100
    # Float sums depend on their order: an image or two may fall to the other side elsewhere.
    assert found["accuracy"] == pytest.approx(expected, abs=max(1, len(x) // 2000) / len(x))
    for layer, rate in zip(model.snn.if_layers, np.mean(rates[:10], axis=0), strict=True):
        assert rate == pytest.approx(card["firing_rates"][layer.twin.name], rel=0.01)


def test_cards_say_what_made_them():
    for name in pretrained.pretrained_names():
        path = Path(pretrained.pretrained_card(name))
        card = json.loads(path.read_text())
        # Those of a URL are not in the wheel.
        assert path.with_suffix(".npz").stat().st_size < (8_000_000 if "url" in card else 400_000)
        assert card["command"].startswith("KERAS_BACKEND=")
        assert {"preset", "data", "seed", "time_steps", "accuracy", "firing_rates"} <= set(card)


def test_a_card_with_the_name_of_its_weights_is_refused(saved, tmp_path):
    with pytest.raises(ValueError, match=r"must end in .json. Received: .*net\.npz"):
        weights.save_weights(saved[0], tmp_path / "net.npz", overwrite=True)
    assert weights.read_card(saved[1])["file"] == "net.npz"
