"""Settings composed as on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capbench.render.style import Style

# Of style=wild; those that make fonts installs may be missing.
BUNDLED = "style.fonts=[DejaVuSans.ttf,DejaVuSerif-Bold.ttf,DejaVuSansMono-Oblique.ttf]"
FAST = ("debug=fast", "trainer.progress=false")
STOCHASTIC = (  # a short training with everything that draws random numbers or keeps a state
    "+experiment=quickstart",
    "data.split={train:768,val:65,test:33}",
    "optim.epochs=4",
    "optim.batch_size=16",
    "optim.ema=0.9",
    "augment=light",
    "optim.poses=1",
    "trainer.threads=1",
    "trainer.progress=false",
    "logger=none",
)


def composed(*overrides: str, verb: str = "train") -> dict[str, Any]:
    """Return the plain settings of a verb."""
    import hydra

    from capbench.cli.compose import parted
    from capbench.settings import conf_dir, plain

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plain(hydra.compose(verb, parted(list(overrides))[1]))


def style(*overrides: str) -> Style:
    """Return a style, composed and checked as on the command line."""
    from capbench.settings import build, check, target_class

    settings = composed(*overrides)["style"]
    check(settings, target_class(settings, "style"), "style")
    built: Style = build(settings)
    return built
