"""Gestures as Chromium's own events.

Points are (x, y) in CSS pixels of the window.
"""


def move_mouse(browser, points):
    for index, (x, y) in enumerate(points):
        kinds = ["mouseMoved"]
        if index == 0:
            kinds = ["mousePressed"]
        elif index == len(points) - 1:
            kinds = ["mouseMoved", "mouseReleased"]
        for kind in kinds:
            browser.execute_cdp_cmd(
                "Input.dispatchMouseEvent",
                {
                    "type": kind,
                    "x": x,
                    "y": y,
                    "button": "left",
                    "buttons": 1,
                    "clickCount": 1,
                },
            )


def touch(browser, points):
    for index, (x, y) in enumerate(points):
        browser.execute_cdp_cmd(
            "Input.dispatchTouchEvent",
            {
                "type": "touchMove" if index else "touchStart",
                "touchPoints": [{"x": x, "y": y}],
            },
        )
    browser.execute_cdp_cmd(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )


def press(browser, key):
    for kind in ("rawKeyDown", "keyUp"):
        browser.execute_cdp_cmd(
            "Input.dispatchKeyEvent",
            {
                "type": kind,
                "key": key,
                "code": key,
                "windowsVirtualKeyCode": {"Escape": 27, "Enter": 13}[key],
            },
        )
