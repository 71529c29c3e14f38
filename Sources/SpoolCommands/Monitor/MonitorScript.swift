/// The script of every page: it follows the page's events, and changes only what is different, so that focus, selection, scrolling and
/// what somebody types stay. Without it, the page is the same and stands still.
enum MonitorScript {
    static let text: StaticString = """
        (() => {
          "use strict";
          const [live, note, button] = ["live", "updates", "pause"].map(id => document.getElementById(id));
          let source = null, shown = live.dataset.id;
          const say = text => { if (note.textContent !== text) note.textContent = text; };

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

          function follow() {
            source = new EventSource("/events?view=" + encodeURIComponent(location.pathname + location.search) + "&shown=" + shown);
            source.addEventListener("page", show);
            source.addEventListener("open", () => say("Live"));
            source.addEventListener("error", () => say("No connection; trying again"));
            button.textContent = "Pause updates";
          }

          button.addEventListener("click", () => {
            if (source) {
              source.close();
              source = null;
              say("Paused");
              button.textContent = "Go on";
            } else follow();
          });
          document.querySelectorAll("pre.tail").forEach(tail => { tail.scrollTop = tail.scrollHeight; });
          button.hidden = false;
          follow();
        })();
        """
}
