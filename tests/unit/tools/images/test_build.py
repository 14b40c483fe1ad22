from __future__ import annotations

from subprocess import CompletedProcess

from tools.containers.engine import Engine
from tools.images.build import STEP_IMAGE, _remove_old_steps

SAID = """[1/2] STEP 1/2: FROM localhost/churn-base:bookworm AS build
[1/2] STEP 2/2: WORKDIR /src
--> Using cache 1e003bf2c0a0aa6f39ae3a6a6b2d4f0a1b0d9d2dd0f4c6ad8d4b6c2a7a2a1111
--> 1e003bf2c0a
[2/2] STEP 2/2: RUN echo '--> not one'
--> 0535936e261
"""


def test_the_images_of_a_builds_steps_are_read_from_what_it_says() -> None:
    assert set(STEP_IMAGE.findall(SAID)) == {
        "1e003bf2c0a0aa6f39ae3a6a6b2d4f0a1b0d9d2dd0f4c6ad8d4b6c2a7a2a1111",
        "1e003bf2c0a",
        "0535936e261",
    }


class Podman(Engine):
    """An engine with unnamed images."""

    def __init__(self, unnamed: list[str]) -> None:
        self.unnamed = unnamed

    def run(self, *words: object, **_: object) -> CompletedProcess[str]:
        if "rm" not in words:
            return CompletedProcess([], 0, "".join(f"sha256:{name}\n" for name in self.unnamed), "")
        self.unnamed = [name for name in self.unnamed if name not in words]
        return CompletedProcess([], 0, "", "")


def test_steps_that_a_build_has_used_stay_for_the_next_and_others_go() -> None:
    podman = Podman(["0535936e261" + "0" * 53, "abcdef01234" + "0" * 53])
    _remove_old_steps(podman, set(STEP_IMAGE.findall(SAID)))
    assert podman.unnamed == ["0535936e261" + "0" * 53]
    _remove_old_steps(podman, set(STEP_IMAGE.findall(SAID)))
    assert len(podman.unnamed) == 1
