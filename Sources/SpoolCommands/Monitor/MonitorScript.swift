/// The script of every page: it follows the page's events, and changes only what is different, so that focus, selection, scrolling and
/// what somebody types stay. Without it, the page is the same and stands still.
enum MonitorScript {
    static let text: StaticString = """
        (() => {
          "use strict";
          const [live, note, button] = ["live", "updates", "pause"].map(id => document.getElementById(id));
          let source = null, timer = 0, shown = live.dataset.id;
          const [waitMin, waitMax] = [1000, 60000];
          let wait = waitMin;
          const say = text => { if (note.textContent !== text) note.textContent = text; };
          // The page is older than it looks, and nobody has asked for that.
          const warn = text => {
            say("▲ " + text);
            note.className = "stale";
          };
          const reassure = text => {
            say(text);
            note.className = "";
          };

          function morph(old, fresh) {
            for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
            for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
            const olds = [...old.childNodes];
            [...fresh.childNodes].forEach((node, index) => {
              const known = olds[index];
              if (!known) old.append(document.importNode(node, true));
              else if (known.nodeType !== node.nodeType || known.nodeName !== node.nodeName || known.id !== node.id)
                known.replaceWith(document.importNode(node, true));
              else if (node.nodeType === 1) morph(known, node);
              else if (known.nodeValue !== node.nodeValue) known.nodeValue = node.nodeValue;
            });
            olds.slice(fresh.childNodes.length).forEach(node => node.remove());
          }

          function show(event) {
            const fresh = document.createElement("template");
            fresh.innerHTML = event.data;
            const tails = [...live.querySelectorAll("pre.tail")];
            const atEnd = tails.map(tail => tail.scrollTop + tail.clientHeight >= tail.scrollHeight - 4);
            const holder = document.createElement("div");
            holder.id = "live";
            holder.dataset.id = shown = event.lastEventId;
            holder.dataset.title = live.dataset.title;
            holder.append(fresh.content);
            morph(live, holder);
            live.querySelectorAll("pre.tail").forEach((tail, index) => {
              if (atEnd[index] !== false) tail.scrollTop = tail.scrollHeight;
            });
          }

          const events = () => "/events?view=" + encodeURIComponent(location.pathname + location.search) + "&shown=" + shown;

          function stop() {
            clearTimeout(timer);
            source?.close();
            source = null;
          }

          function follow() {
            stop();
            const one = source = new EventSource(events());
            one.addEventListener("page", show);
            one.addEventListener("open", () => {
              wait = waitMin;
              reassure("Live");
            });
            one.addEventListener("error", () => {
              if (one !== source) return;
              // A browser tries again by itself only when it got no answer at all.
              if (one.readyState === EventSource.CLOSED) tryLater(one);
              else warn("No connection; trying again");
            });
            button.textContent = "Pause updates";
          }

          // The events of an EventSource do not say why it was refused.
          async function tryLater(refused) {
            timer = setTimeout(follow, wait);
            wait = Math.min(2 * wait, waitMax);
            const answer = await fetch(events(), { method: "HEAD" }).catch(() => null);
            if (refused !== source) return;
            if (!answer) warn("No connection; trying again");
            else if (answer.status === 401) warn("The page wants its token again: open the address with the token, here or in another tab");
            else if (answer.status === 503) warn("Too many pages are followed; trying again");
            else if (!answer.ok) warn("The monitor refuses the updates (" + answer.status + "); reload the page");
          }

          // Somebody who comes back to the page, perhaps from another tab with the token, does not wait.
          document.addEventListener("visibilitychange", () => {
            if (!document.hidden && source?.readyState === EventSource.CLOSED) follow();
          });
          button.addEventListener("click", () => {
            if (source) {
              stop();
              reassure("Paused");
              button.textContent = "Go on";
            } else follow();
          });
          document.querySelectorAll("pre.tail").forEach(tail => { tail.scrollTop = tail.scrollHeight; });
          button.hidden = false;
          follow();
        })();
        """
}
