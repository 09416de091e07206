(function(){"use strict";const s=self;setInterval(()=>s.postMessage(null),25)})();
