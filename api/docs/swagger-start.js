// Starts Swagger UI; a file of its own, because the page allows no inline script.
/* global SwaggerUIBundle */
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true });
