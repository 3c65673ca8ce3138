"""Pages opened in Debian's Chromium, which has no network and tells all that it complains of."""

import os
import shutil

from rseqbench.model import Skip
from tests.support.simulated_runs import COSTS, FACTS, Simulation

CHROMIUM = shutil.which("chromium")
WIDE, NARROW = (1280, 720), (390, 844)
PAPER = (718, 1000)  # what a browser lays out for A4 with ordinary margins


def launch(playwright):
    """Start the browser; root, as which CI runs, can have no sandbox."""
    return playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)


class Opened:
    """A file in a window of its own: `page`, all that was asked for while it was loaded, and every complaint."""

    def __init__(self, browser, path, size=WIDE, scheme="light"):
        width, height = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.address = path.as_uri()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def resized(self, size):
        """Give the window another size."""
        width, height = size
        self.page.set_viewport_size({"width": width, "height": height})
        return self

    def unfolded(self):
        """Open all that is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
        return self

    def overhang(self):
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")

    def bottom(self, selector):
        """Return how far below the top of the window the first such element ends; it has to be seen."""
        found = self.page.locator(selector).first
        assert found.is_visible()
        box = found.bounding_box()
        return box["y"] + box["height"]

    def colour(self, selector, which):
        """Return a computed colour as its red, green and blue."""
        text = self.page.eval_on_selector(selector, f"element => getComputedStyle(element)['{which}']")
        return tuple(int(float(part)) for part in text[text.index("(") + 1 : -1].split(",")[:3])


BUSY = {**FACTS, "virtual": "kvm", "load_1min": 3.0, "governor": "powersave", "turbo": "on"}


EVIL = "<script>pwned=1;alert(1)</script><img src=x onerror=pwned=1>$(touch /pwned);`id`\u202e\x1b[31m" + "x" * 200


HEBREW = "\u05d2\u05dc\u05d9\u05d1\u05e5"


COUNTED = {name: cost * 100 for name, cost in COSTS.items()}


SIMULATED = {
    "laptop": Simulation(rounds=8, facts={**FACTS, "virtual": "kvm"}),
    "limited": Simulation(rounds=8, facts=BUSY, preset="quick"),
    "emulated": Simulation(rounds=6, costs=COUNTED, timing="emulated", arch="arm32", target="qemu-system", facts={}),
    "skipped": Simulation(rounds=1, skips=tuple(Skip(name, 1, "ENOSYS: no rseq") for name in COSTS), facts={}, docs={}),
    "unregistered": Simulation(
        rounds=8,
        skips=tuple(Skip(name, 1, "rseq: not registered") for name in COSTS if "rseq" in name and "no" not in name),
    ),
}
